"""The real engine runs the real program against the real lab."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import yaml
from local_stack import CANARY, ISVC, MODEL, READY, SERVICE, UP, Stack

from slipway.clients.prometheus import Prometheus
from slipway.engine.deploy import Deployment
from slipway.errors import ExitCode, SlipwayError
from slipway.rollout.canary import ABORT

STABLE, CANDIDATE = f"{MODEL}-v2", f"{MODEL}-v3"


@pytest.fixture(scope="module")
def stack(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(lab, tmp_path_factory.mktemp("project"))
    yield made
    made.pulumi("destroy", "--yes", "--skip-preview")


@pytest.fixture(scope="module")
def undisturbed(stack: Stack) -> tuple[dict[str, Any], dict[str, Any]]:
    """The state, and the cluster, after one run that nobody disturbed."""
    stack.up()
    # At once, before Flagger has looked at anything.
    stack.up("--expect-no-changes")
    return stack.state(), stack.cluster()


def test_the_first_up_makes_everything_ready_and_the_second_finds_nothing_to_do(stack: Stack, undisturbed: Any) -> None:
    _, objects = undisturbed
    assert set(objects) == {
        f"InferenceService {STABLE}",
        f"Service {MODEL}",
        f"Service {MODEL}-primary",
        f"Service {MODEL}-canary",
        f"Canary {MODEL}",
    }
    conditions = stack.kube.get(*ISVC, STABLE, "models")["status"]["conditions"]
    assert {"type": "Ready", "status": "True"}.items() <= next(c for c in conditions if c["type"] == "Ready").items()


def test_what_the_controllers_write_is_no_difference_even_after_a_refresh(stack: Stack, undisturbed: Any) -> None:
    stack.phase("Initialized")
    stack.up("--expect-no-changes")
    stack.pulumi("refresh", "--yes", "--skip-preview")
    stack.pulumi("preview", "--expect-no-changes")


def test_the_adapter_tells_what_each_model_is(stack: Stack, undisturbed: Any) -> None:
    outputs = stack.deployment().outputs()[MODEL]
    assert (outputs.version, outputs.url) == (2, f"http://{MODEL}.models.localhost/v2/models/{MODEL}/infer")
    assert stack.kube.get(*ISVC, STABLE, "models")["metadata"]["annotations"]["slipway.dev/release"] == outputs.release
    summary = stack.deployment().preview()
    assert (set(summary.changes), summary.warnings) == ({"same"}, ())


def test_prometheus_measures_the_server_through_both_services_of_the_pair(stack: Stack, undisturbed: Any) -> None:
    path = "/v2/models/{model_name}/infer"
    # Not a prediction: the server counts what it refuses too.
    url = f"{stack.lab.gateway_url}{path.format(model_name=MODEL)}"
    refused = requests.post(url, json={}, headers={"Host": f"{MODEL}.models.localhost"}, timeout=10)
    prometheus, deadline = Prometheus(stack.lab.facts.url("prometheus")), time.monotonic() + 20
    gateway = f'traefik_service_requests_total{{service="models-{MODEL}-primary-http-80@kubernetesgateway"}}'
    # It asks servers and gateway once a second, each at a moment of its own, and tells nobody.
    while not (
        len(counted := prometheus.query(f'rest_server_requests_total{{path="{path}"}}')) == 2
        and (through := prometheus.query(gateway))
    ):
        assert time.monotonic() < deadline, counted
        time.sleep(0.2)
    (pod,) = stack.kube.list("v1", "Pod", "models", f"serving.kserve.io/inferenceservice={STABLE}")
    common = {
        "job": "models",
        "namespace": "models",
        "inferenceservice": STABLE,
        "pod": pod["metadata"]["name"],
        "method": "POST",
        "status_code": str(refused.status_code),
    }
    for sample, service in zip(sorted(counted, key=str), (f"{MODEL}-canary", f"{MODEL}-primary"), strict=True):
        assert sample.labels.items() >= {**common, "service": service}.items()
        assert sample.value >= 1
    assert [one.labels["code"] for one in through] == [str(refused.status_code)]


BAD: list[tuple[str, dict[str, str | None], dict[str, Any], str, ExitCode]] = [
    ("passphrase missing", {"PULUMI_CONFIG_PASSPHRASE": None}, {}, "the passphrase is missing", ExitCode.USER),
    (
        "passphrase wrong",
        {"PULUMI_CONFIG_PASSPHRASE": "wrong"},
        {},
        "not the passphrase that",
        ExitCode.USER,
    ),
    (
        "alias missing",
        {},
        {"alias": "absent"},
        f"models/{MODEL}.yaml: registered_model: .*'absent'",
        ExitCode.USER,
    ),
    ("registry away", {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1"}, {}, "127.0.0.1:1", ExitCode.UNREACHABLE),
    ("setting unknown", {}, {"namespce": "x"}, "slipway:namespce: unknown key; nearest valid key", ExitCode.USER),
]


@pytest.mark.parametrize(("environ", "settings", "line", "code"), [case[1:] for case in BAD], ids=[c[0] for c in BAD])
def test_bad_input_is_one_line_and_changes_nothing(
    stack: Stack,
    undisturbed: Any,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str | None],
    settings: dict[str, Any],
    line: str,
    code: ExitCode,
) -> None:
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    env = {key: value for key, value in {**stack.env, **environ}.items() if value is not None}
    text, before = stack.settings.read_text(), stack.everything()
    try:
        stack.set(**settings)
        start = time.monotonic()
        done = stack.pulumi("up", "--yes", "--skip-preview", check=False, env=env)
        assert time.monotonic() - start < 30
        assert done.returncode != 0
        assert "Traceback" not in done.stdout + done.stderr
        with pytest.raises(SlipwayError, match=line) as told:
            Deployment(stack.root, "local", env).up()
        assert "\n" not in str(told.value)
        assert told.value.exit_code is code
    finally:
        stack.settings.write_text(text)
    assert stack.everything() == before


def aborting(word: str | None) -> dict[str, Any]:
    return {"metadata": {"annotations": {ABORT: word}}}


def test_a_new_version_is_a_canary_and_neither_its_rollout_nor_its_failure_is_a_difference(
    stack: Stack, undisturbed: Any
) -> None:
    stack.promote(3)
    said = stack.pulumi("preview", "--diff").stdout
    assert f'~ app: "isvc.{STABLE}-predictor" => "isvc.{CANDIDATE}-predictor"' in said
    stack.up()
    stack.up("--expect-no-changes")
    stack.phase("Progressing")
    stack.up("--expect-no-changes")
    # Nobody sends requests, so the judge holds it: until somebody ends it, which is an annotation of theirs.
    stack.kube.patch(*CANARY, MODEL, "models", aborting(f"{CANDIDATE}: nobody asks for it"))
    stack.phase("Failed")
    stack.up("--expect-no-changes")
    stack.kube.patch(*CANARY, MODEL, "models", aborting(None))
    assert stack.kube.get(*SERVICE, f"{MODEL}-primary", "models")["spec"]["selector"] == {
        "app": f"isvc.{STABLE}-predictor"
    }
    stack.promote(2)
    stack.up()
    assert stack.kube.find(*ISVC, CANDIDATE, "models") is None
    stack.up("--expect-no-changes")


def test_the_stable_version_is_retired_only_after_the_candidate_was_promoted(stack: Stack, undisturbed: Any) -> None:
    rollout = yaml.safe_load(stack.settings.read_text())["config"]["slipway:rollout"]
    stack.set(rollout={**rollout, "strategy": "immediate"})
    try:
        stack.promote(3)
        stack.up()
        assert stack.kube.get(*ISVC, STABLE, "models")
        stack.primary_selects(CANDIDATE)
        # Invariant 12: what reaches its pods has never changed, or there would be a second revision of them.
        pods = stack.kube.get("apps/v1", "Deployment", f"{CANDIDATE}-predictor", "models")
        assert pods["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
        stack.up()
        assert stack.kube.find(*ISVC, STABLE, "models") is None
        stack.up("--expect-no-changes")
    finally:
        stack.set(rollout=rollout)
        stack.promote(2)
        stack.pulumi("destroy", "--yes", "--skip-preview")


def started(stack: Stack) -> subprocess.Popen[bytes]:
    with (stack.root / "up.log").open("ab") as log:
        return subprocess.Popen(stack.command("up", "--yes"), cwd=stack.root, env=stack.env, stdout=log, stderr=log)


def there(stack: Stack, kind: tuple[str, str], name: str) -> None:
    """Return as soon as an object exists."""
    try:
        stack.kube.wait_for(*kind, name, "models", lambda _: True, timeout=READY)
    except TimeoutError as error:
        raise AssertionError(f"{error}; the last run said:\n{(stack.root / 'up.log').read_text()[-3000:]}") from None


def test_a_second_up_is_refused_while_one_runs(stack: Stack, undisturbed: Any) -> None:
    with started(stack) as run:
        there(stack, ISVC, STABLE)
        # Held where it waits for the model server, so that it cannot end before the others have asked.
        run.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(SlipwayError, match=r"stack local: locked by another run .*pid \d+") as told:
                stack.deployment().up()
            done = stack.pulumi("up", "--yes", "--skip-preview", check=False)
        finally:
            run.send_signal(signal.SIGCONT)
        assert told.value.exit_code is ExitCode.BUSY
        assert done.returncode != 0
        assert "the stack is currently locked" in done.stdout + done.stderr
        assert run.wait(UP) == 0
    stack.up("--expect-no-changes")


def test_an_up_killed_at_any_time_and_repeated_ends_like_one_that_nobody_disturbed(
    stack: Stack, undisturbed: Any
) -> None:
    def locked() -> None:
        deadline = time.monotonic() + READY
        while not list((stack.root / "state/.pulumi/locks").rglob("*.json")):
            assert time.monotonic() < deadline
            time.sleep(0.05)  # Pulumi tells nobody that it has taken its lock

    moments: list[Callable[[], None]] = [
        locked,
        lambda: there(stack, ISVC, STABLE),
        lambda: there(stack, SERVICE, f"{MODEL}-canary"),
    ]
    stack.pulumi("destroy", "--yes", "--skip-preview")
    for moment in moments:
        with started(stack) as run:
            moment()
            assert run.poll() is None, "the run was over before it could be killed"
            run.send_signal(signal.SIGKILL)
    stack.up()
    stack.up("--expect-no-changes")
    assert (stack.state(), stack.cluster()) == undisturbed
    exported = json.loads(stack.pulumi("stack", "export").stdout)["deployment"]
    assert not exported.get("pending_operations")


def test_invariant_13_what_would_delete_or_replace_a_protected_canary_changes_nothing(
    stack: Stack, undisturbed: Any
) -> None:
    """The route belongs to the Canary: without it, nobody is served."""
    spec = stack.root / "models" / f"{MODEL}.yaml"
    text, settings = spec.read_text(), stack.settings.read_text()
    stack.set(protect="true")
    stack.up()
    before = stack.everything(), stack.kube.get(*CANARY, MODEL, "models")["metadata"]["uid"]
    try:
        spec.unlink()
        deleted = stack.pulumi("up", "--yes", check=False)
        spec.write_text(text)
        stack.set(cluster={"identifier": "another", "kubeconfig": str(stack.lab.kubeconfig)})
        replaced = stack.pulumi("up", "--yes", check=False)
        after = stack.everything(), stack.kube.get(*CANARY, MODEL, "models")["metadata"]["uid"]
    finally:
        spec.write_text(text)
        stack.settings.write_text(settings)
        stack.up()
    assert after == before
    for done in (deleted, replaced):
        assert done.returncode != 0
        # It "is protected", or it is "marked for protection".
        assert re.search(f"{MODEL}.*protect", done.stdout + done.stderr, re.DOTALL)
