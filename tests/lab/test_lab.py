"""A running lab, as its user sees it."""

from __future__ import annotations

import json
import os
import select
import signal
import ssl
import stat
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError

from slipway.clients.kube import KubeError
from slipway.clients.prometheus import Prometheus
from slipway.errors import ExitCode, SlipwayError
from slipway.lab import lifecycle, manifests

COMPONENTS = {
    "etcd",
    "s3",
    "kube-apiserver",
    "kube-controller-manager",
    "kubelet",
    "kserve",
    "flagger",
    "gateway",
    "prometheus",
    "judge",
    "observe",
}


def shell(lab: Any, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user does who has sourced the lab's environment in a new shell."""
    bare = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    return subprocess.run(
        ["bash", "-c", f"set -e; source .slipway/env; {command}"],
        cwd=lab.project,
        env=bare,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_every_component_is_ready_with_a_process_of_its_own(lab: Any) -> None:
    found = lifecycle.status(lab.project)
    assert found.ready
    assert {part.name for part in found.components} == COMPONENTS
    assert len({part.pid for part in found.components}) == len(COMPONENTS)
    assert all(part.memory_bytes > 10_000_000 for part in found.components)


def test_a_second_up_says_that_one_runs(lab: Any) -> None:
    with pytest.raises(SlipwayError, match="already running") as refused:
        lifecycle.up(lab.project)
    assert refused.value.exit_code == ExitCode.BUSY


def test_a_running_lab_is_not_wiped(lab: Any) -> None:
    with pytest.raises(SlipwayError, match="already running"):
        lifecycle.reset(lab.project)
    assert lab.kube.get("v1", "Namespace", "models")


def test_kubectl_and_pulumi_work_in_a_shell_that_sourced_the_environment(lab: Any) -> None:
    done = shell(lab, "kubectl get nodes -o json; pulumi version >&2; command -v pulumi-language-python >&2")
    assert done.returncode == 0, done.stderr
    (node,) = json.loads(done.stdout)["items"]
    assert {"type": "Ready", "status": "True"}.items() <= next(
        condition for condition in node["status"]["conditions"] if condition["type"] == "Ready"
    ).items()


def test_the_kubeconfig_verifies_the_server_without_any_token(lab: Any) -> None:
    config = yaml.safe_load(lab.kubeconfig.read_text())
    (cluster,), (user,) = config["clusters"], config["users"]
    assert set(cluster["cluster"]) == {"server", "certificate-authority-data"}
    assert set(user["user"]) == {"client-certificate-data", "client-key-data"}


def test_the_server_is_not_trusted_by_who_does_not_know_the_authority(lab: Any) -> None:
    with pytest.raises(urllib.error.URLError) as refused:
        urllib.request.urlopen(f"{lab.facts.url('api')}/readyz", context=ssl.create_default_context(), timeout=10)
    assert isinstance(refused.value.reason, ssl.SSLCertVerificationError)


def test_who_shows_no_certificate_gets_nothing(lab: Any) -> None:
    context = ssl.create_default_context(cafile=str(lab.paths.pki / "ca.crt"))
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{lab.facts.url('api')}/api/v1/namespaces", context=context, timeout=10)
    with refused.value as answer:
        assert answer.code == 401


def test_nobody_else_can_read_keys_or_credentials(lab: Any) -> None:
    secret = [lab.kubeconfig, lab.paths.env, lab.paths.facts, *lab.paths.pki.iterdir()]
    assert [str(file) for file in secret if stat.S_IMODE(file.stat().st_mode) != 0o600] == []
    for directory in (lab.paths.root, lab.paths.lab, lab.paths.pki):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_no_command_line_shows_a_secret(lab: Any) -> None:
    lines = [Path(f"/proc/{part.pid}/cmdline").read_text() for part in lifecycle.status(lab.project).components]
    assert all(line and lab.facts.secret_key not in line for line in lines)


def test_the_object_store_keeps_what_the_user_puts_in_and_refuses_strangers(lab: Any) -> None:
    def store(secret: str) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=lab.env["AWS_ENDPOINT_URL_S3"],
            aws_access_key_id=lab.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=secret,
            region_name=lab.env["AWS_REGION"],
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        )

    mine, strange = store(lab.env["AWS_SECRET_ACCESS_KEY"]), store("not-the-key")
    try:
        mine.create_bucket(Bucket="kept")
        # More than the relay moves at once, in both directions.
        content = os.urandom(3_000_000)
        mine.put_object(Bucket="kept", Key="a/b", Body=content, Metadata={"of": "test"})
        answer = mine.get_object(Bucket="kept", Key="a/b")
        with answer["Body"] as body:
            assert body.read() == content
        assert answer["Metadata"] == {"of": "test"}
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            strange.get_object(Bucket="kept", Key="a/b")
    finally:
        mine.close()
        strange.close()


@pytest.mark.parametrize(
    ("variable", "path"),
    [
        ("SLIPWAY_PROMETHEUS_URL", "/-/ready"),
        ("SLIPWAY_JUDGE_URL", "/healthz"),
        ("SLIPWAY_OBSERVE_URL", "/healthz"),
    ],
)
def test_what_measures_answers_from_the_users_shell(lab: Any, variable: str, path: str) -> None:
    with urllib.request.urlopen(lab.env[variable] + path, timeout=10) as answer:
        assert answer.status == 200


def test_prometheus_asks_everything_that_measures(lab: Any) -> None:
    prometheus, deadline = Prometheus(lab.env["SLIPWAY_PROMETHEUS_URL"]), time.monotonic() + 20
    # The models' job has no target until a model is served.
    while {"flagger", "gateway", "judge", "observe"} - {one.labels["job"] for one in prometheus.query("up == 1")}:
        assert time.monotonic() < deadline, prometheus.query("up")
        time.sleep(0.2)  # it asks once a second


def test_the_gateway_answers_from_the_users_shell(lab: Any) -> None:
    with pytest.raises(urllib.error.HTTPError) as nothing_there:
        urllib.request.urlopen(lab.gateway_url, timeout=10)
    with nothing_there.value as answer:
        assert answer.code == 404


def test_the_gateway_is_programmed(lab: Any) -> None:
    def programmed(gateway: dict[str, Any]) -> bool:
        found = gateway.get("status", {}).get("conditions", [])
        return any(condition["type"] == "Programmed" and condition["status"] == "True" for condition in found)

    kind = ("gateway.networking.k8s.io/v1", "Gateway", manifests.GATEWAY, manifests.GATEWAY_NAMESPACE)
    lab.kube.wait_for(*kind, programmed, timeout=30)


def test_kserves_webhooks_default_and_refuse(lab: Any) -> None:
    service = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "probe", "namespace": manifests.MODELS},
        "spec": {"predictor": {"model": {"modelFormat": {"name": "mlflow"}, "storageUri": "s3://kept/a"}}},
    }
    defaulted = lab.kube.create(service, dry_run=True)
    assert defaulted["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"
    unfit = {**service, "metadata": {"name": "1probe", "namespace": manifests.MODELS}}
    with pytest.raises(KubeError, match="kserve-webhook-server"):
        lab.kube.create(unfit, dry_run=True)


def test_a_component_that_dies_is_started_again(lab: Any) -> None:
    def flagger() -> lifecycle.Part:
        return next(part for part in lifecycle.status(lab.project).components if part.name == "flagger")

    before = flagger()
    handle = os.pidfd_open(before.pid)
    signal.pidfd_send_signal(handle, signal.SIGKILL)
    assert select.select([handle], [], [], 10)[0]
    os.close(handle)
    deadline = time.monotonic() + 60
    while (after := flagger()).pid in (0, before.pid) or after.state != "ready":
        assert time.monotonic() < deadline, after
        time.sleep(0.1)  # the status is a file
    assert after.restarts == before.restarts + 1
    assert "flagger: ended with signal SIGKILL" in lab.paths.log("supervisor").read_text()


def test_logs_are_found_by_component(lab: Any) -> None:
    files = lifecycle.log_files(lab.project)
    assert COMPONENTS | {"supervisor"} <= set(files)
    assert "Starting flagger" in files["flagger"].read_text()


def test_ports_are_on_loopback_only(lab: Any) -> None:
    assert {urlsplit(lab.facts.url(name)).hostname for name in lab.facts.ports} == {"127.0.0.1"}
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    mine = {f"{port:04X}" for port in lab.facts.ports.values()}
    addresses = [fields[1] for fields in listening if fields[3] == "0A" and fields[1].partition(":")[2] in mine]
    assert {address.partition(":")[0] for address in addresses} == {"0100007F"}
