"""What people do about rollouts, with real Flagger and the real judge: settle, roll back, abort, retry."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import judge_stage
import pytest
import yaml
from builders import a_release
from judge_stage import NAMESPACE, Stage, until
from projects import Project

from slipway.delivery.abort import abort
from slipway.delivery.books import Books
from slipway.delivery.retry import retry
from slipway.lab import pki
from slipway.models.pins import Pin, load_pins
from slipway.models.spec import load_model_specs
from slipway.planning import environment as planning
from slipway.rollout import cluster
from slipway.rollout import state as rollout_state
from slipway.settings.checkout import Checkout
from slipway.settings.environment import Environment
from slipway.settings.stack_file import read_environment
from slipway.times import iso

#: The steps of each command, in their order; the process is killed after each.
ROLLBACK = ("abort", "incident", "ledger", "record", "alias")
SETTLE = ("ledger", "record", "alias")
LONG = {50: 600}
DYING_PROGRAM = Path(__file__).with_name("dying_command.py")


class Desk:
    """Where somebody sits who looks after rollouts: a project with pins, a shell, the stage's cluster."""

    def __init__(self, stage: Stage, root: Path, models: Sequence[str]) -> None:
        self.stage, self.root = stage, root
        project = Project(root)
        for model in models:
            project.spec(model)
            project.releases([a_release(model, version) for version in (1, 2, 3)])
        project.pins("staging", **{model: self.pinned(model) for model in models})
        settings = yaml.safe_load((root / "Pulumi.staging.yaml").read_text())
        kubeconfig = root / "kubeconfig"
        kubeconfig.write_text(pki.kubeconfig(stage.control.paths.pki, "admin", stage.kube.server))
        settings["config"]["slipway:cluster"] = {"identifier": "stage", "kubeconfig": str(kubeconfig)}
        # Nobody answers there: neither measurements nor the judge's ledger are needed to get users out of trouble.
        settings["config"] |= {
            "slipway:delivery": "direct",
            "slipway:prometheus_url": "http://127.0.0.1:1",
            "slipway:judge_url": "http://127.0.0.1:1",
        }
        (root / "Pulumi.staging.yaml").write_text(yaml.safe_dump(settings))

    @staticmethod
    def pinned(model: str) -> Pin:
        return Pin(stable=a_release(model, 1).id, candidate=a_release(model, 2).id)

    @property
    def environment(self) -> Environment:
        return read_environment(self.root, "staging")

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        env = {
            "SLIPWAY_PROJECT": str(self.root),
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": ":".join(sys.path),
            "HOME": "/",
        }
        done = subprocess.run(
            [sys.executable, *command], cwd=self.root, env=env, capture_output=True, text=True, timeout=300
        )
        assert not check or done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done

    def slipway(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        code = "from slipway.cli import main; main()"
        return self.run("-c", code, "rollout", *arguments, "--stack=staging", check=check)

    def killed(self, command: str, model: str, step: str) -> None:
        done = self.run(str(DYING_PROGRAM), command, model, step, check=False)
        assert done.returncode == -9, f"{model}: not killed after {step}: {done.stdout}\n{done.stderr}"

    def pin(self, model: str) -> Pin:
        return load_pins(self.root / "pins/staging.yaml").models[model]

    def pins(self, **changes: Any) -> None:
        content = load_pins(self.root / "pins/staging.yaml")
        Project.pins(self, "staging", **{**content.models, **changes})  # type: ignore[arg-type]

    def noted(self, model: str) -> list[tuple[str, str, str]]:
        """The ledger of a model: what was done to which release, and why."""
        lines = (self.root / "ledger/staging.jsonl").read_text().splitlines()
        entries = [entry for entry in map(json.loads, lines) if entry["model"] == model]
        assert all(entry["at"] and entry["who"] for entry in entries)
        return [(entry["action"], entry["release"], entry.get("reason", "")) for entry in entries]

    def planned(self, model: str) -> planning.ModelPlan:
        """What the next `up` does."""
        observed = cluster.observe(self.stage.kube, NAMESPACE, load_model_specs(self.root / "models"))
        return planning.plan_environment(Checkout(self.root), self.environment, observed).plans[model]

    def row(self, model: str) -> dict[str, Any]:
        done = self.slipway("status", model, "--json", check=False)
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)["models"][0]
        return found

    def books(self, model: str) -> Books:
        return Books(self.root, self.environment, load_model_specs(self.root / "models")[model])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = judge_stage.start(tmp_path_factory.mktemp("delivery"))
    yield made
    made.stop()


#: Model to how long its rollout stays at half of the traffic: the tests of promoted ones must not wait.
DYING = [f"rollback-{step}" for step in ROLLBACK]
SETTLING = [f"settle-{step}" for step in SETTLE]
HELD = [*DYING, "told", "stopped", "unheard", "tried"]


@pytest.fixture(scope="module")
def desk(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """All rollouts at once, since each takes a minute."""
    for model in HELD:
        stage.declare(model, pauses=LONG)
    promoted = [*SETTLING, "turned"]
    for model in promoted:
        stage.declare(model, steps=(100,))
    # Flagger asks nobody about this one.
    # A patch, because Flagger may write the Canary at the same time.
    unasked = {"webhooks": [], "metrics": [], "stepWeights": [*range(50, 101)]}
    stage.kube.patch(*cluster.CANARY, "unheard", NAMESPACE, {"spec": {"analysis": unasked}})
    for model in [*HELD, *promoted]:
        stage.phase(model, "Initialized")
        for version in (1, 2):
            stage.send(model, version)
        stage.point(model, 2)
    return Desk(stage, tmp_path_factory.mktemp("desk"), [*HELD, *promoted])


def at_half(desk: Desk, model: str) -> None:
    until(lambda: desk.stage.weight(model) >= 50, 90, f"{model} has half of the traffic")


def together(work: Callable[[str], None], models: Sequence[str]) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, models))


def test_a_running_rollout_is_shown_and_cannot_be_settled(desk: Desk) -> None:
    at_half(desk, "told")
    row = desk.row("told")
    assert (row["situation"], row["stable"], row["candidate"], row["weight"], row["next"]) == (
        *("running", 1, 2, 50),
        "nothing",
    )
    refused = desk.slipway("settle", "told", check=False)
    assert refused.returncode == 4
    assert "told: the rollout of v2 is under way (Progressing, 50% of the traffic)" in refused.stderr


def test_a_third_version_pinned_meanwhile_is_said_to_be_queued_and_is_kept(desk: Desk) -> None:
    at_half(desk, "told")
    desk.pins(told=Pin(stable=a_release("told", 1).id, candidate=a_release("told", 3).id))
    assert desk.row("told")["why"] == "v3 is queued: the next `slipway up` starts its rollout"
    said = desk.slipway("rollback", "told", "--reason", "it lies").stdout
    assert "v3 is queued: the next `slipway up` removes v2, starts the rollout of v3" in said
    assert desk.pin("told").candidate == a_release("told", 3).id
    assert desk.planned("told").target == a_release("told", 3)


def test_a_rollback_killed_after_any_step_and_repeated_ends_like_one_that_nobody_disturbed(desk: Desk) -> None:
    def killed(model: str) -> None:
        at_half(desk, model)
        desk.killed("rollback", model, model.removeprefix("rollback-"))
        desk.slipway("rollback", model)
        again = desk.slipway("rollback", model, "--reason", "another one").stdout
        assert f"{model}: v2 is rejected already" in again, again

    together(killed, DYING)
    who = desk.pin(DYING[0]).rejected[0].reason
    assert who.startswith("rolled back by ")
    for model in DYING:
        stable, candidate = a_release(model, 1), a_release(model, 2)
        assert (desk.stage.weight(model), desk.stage.live(model)) == (0, 1), model
        pin = desk.pin(model)
        assert (pin.stable, pin.candidate) == (stable.id, None), model
        assert [(each.release, each.reason) for each in pin.rejected] == [(candidate.id, who)], model
        assert desk.noted(model) == [("rejected", candidate.id, who)], model
        report = (desk.root / f"incidents/staging/{model}-{candidate.id}.md").read_text()
        assert f"# staging: {model}: {candidate.id} was rejected" in report
        assert "| artifact | sha256:" in report
        plan = desk.planned(model)
        assert (plan.target, plan.declared) == (stable, (stable,)), model
        assert desk.row(model)["next"] == "up"


def test_an_abort_takes_the_traffic_and_nothing_else(desk: Desk) -> None:
    at_half(desk, "stopped")
    said = desk.slipway("abort", "stopped", "--reason", "the invoices are wrong").stdout
    assert "stopped: v2 gets no traffic any more, v1 all of it" in said
    assert desk.slipway("abort", "stopped").stdout == "stopped: no rollout is under way; v1 serves\n"
    assert (desk.stage.weight("stopped"), desk.stage.live("stopped")) == (0, 1)
    assert desk.pin("stopped") == desk.pinned("stopped")
    candidate = a_release("stopped", 2).id
    assert desk.noted("stopped") == [("aborted", candidate, "the invoices are wrong")]
    assert desk.slipway("status", "stopped", check=False).returncode == 1
    desk.slipway("settle", "stopped")
    assert desk.noted("stopped")[-1] == ("rejected", candidate, "the invoices are wrong")


def test_a_rollout_that_flagger_asks_nobody_about_can_be_aborted_too(desk: Desk) -> None:
    at_half(desk, "unheard")
    abort(desk.stage.kube, desk.books("unheard"), reason="it lies")
    assert (desk.stage.weight("unheard"), desk.stage.live("unheard")) == (0, 1)


def test_a_settle_killed_after_any_step_and_repeated_ends_like_one_that_nobody_disturbed(desk: Desk) -> None:
    def killed(model: str) -> None:
        desk.stage.phase(model, "Succeeded")
        assert desk.row(model)["next"] == "settle"
        desk.killed("settle", model, model.removeprefix("settle-"))
        desk.slipway("settle", model)
        assert desk.slipway("settle", model).stdout.startswith(f"{model}: v2 is settled already")

    together(killed, SETTLING)
    for model in SETTLING:
        release = a_release(model, 2)
        assert desk.pin(model) == Pin(stable=release.id), model
        assert desk.noted(model) == [("settled", release.id, "promoted")], model
        assert (desk.planned(model).target, desk.planned(model).declared) == (release, (release,))
        assert desk.row(model)["why"] == "retires v1"


def test_a_promoted_candidate_that_turned_bad_is_brought_back_by_a_rollout(desk: Desk) -> None:
    desk.stage.phase("turned", "Succeeded")
    stable, bad = a_release("turned", 1), a_release("turned", 2)
    said = desk.slipway("rollback", "turned", "--reason", "it lies").stdout
    assert "v2 serves until the next `slipway up` has brought v1 back by a rollout" in said
    desk.slipway("rollback", "turned")
    assert desk.noted("turned") == [("rejected", bad.id, "it lies")]
    refused = desk.slipway("settle", "turned", check=False)
    assert "v2 serves, but was rejected (it lies)" in refused.stderr
    plan = desk.planned("turned")
    assert (plan.target, plan.live, plan.declared) == (stable, bad, (stable, bad))
    # what `up` does then
    desk.stage.point("turned", 1)
    desk.stage.phase("turned", "Progressing", "Waiting")
    refused = desk.slipway("rollback", "turned", check=False)
    assert (refused.returncode, "nothing to roll back" in refused.stderr) == (4, True)
    desk.stage.phase("turned", "Succeeded")
    assert desk.row("turned")["next"] == "settle"
    desk.slipway("settle", "turned")
    assert desk.pin("turned").candidate is None
    assert desk.planned("turned").declared == (stable,)


def test_what_flagger_has_missed_is_noticed_and_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    stage, model = desk.stage, "tried"
    at_half(desk, model)
    abort(stage.kube, desk.books(model), reason="not yet")

    def up(held_back: str | None = None) -> None:
        """What the program does to the target."""
        observed = cluster.observe(stage.kube, NAMESPACE, load_model_specs(desk.root / "models"))
        plan = planning.plan_environment(Checkout(desk.root), desk.environment, observed, held_back).plans[model]
        stage.point(model, plan.target.version)

    done = retry(stage.kube, desk.books(model), up)
    assert done[0] == "tried: the rollout of v2 has begun again"
    assert desk.noted(model) == [
        ("aborted", a_release(model, 2).id, "not yet"),
        ("retried", a_release(model, 2).id, ""),
    ]
    at_half(desk, model)
    abort(stage.kube, desk.books(model), reason="not yet")
    # Back and forth before Flagger looks.
    stage.kill("flagger")
    time.sleep(1.1)  # times of writers are in whole seconds
    stage.point(model, 1)
    stage.point(model, 2)
    stage.flagger()
    applied = stage.status(model)["lastAppliedSpec"]
    stage.kube.wait_for(
        *cluster.CANARY,
        model,
        NAMESPACE,
        lambda canary: canary["status"]["lastTransitionTime"] > iso(time.time() - 5),
        timeout=60,
    )
    assert (stage.status(model)["phase"], stage.status(model)["lastAppliedSpec"]) == ("Failed", applied)
    monkeypatch.setattr(rollout_state, "TICKS_TO_NOTICE", 0)
    seen = rollout_state.read(stage.kube, NAMESPACE, [model])[model]
    assert seen.situation(time.time()) == "swallowed"
    retry(stage.kube, desk.books(model), up)
    assert stage.phase(model, "Progressing")
