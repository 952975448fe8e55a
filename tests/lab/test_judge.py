"""Real Flagger asks the judge, over the real API server; what Prometheus counts is what each test says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import judge_stage
import pytest
from judge_stage import NAMESPACE, TICK, Stage, until

from slipway.rollout.canary import ABORT
from slipway.rollout.cluster import CANARY

#: Until the test for it comes: the rollouts go on meanwhile.
LONG = {50: 600}
ENDED = ("Succeeded", "Failed")
ENDS = ("promoted", "rolled-back", "aborted")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = judge_stage.start(tmp_path_factory.mktemp("judge"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def rollouts(stage: Stage) -> Stage:
    """Several rollouts at once, since each takes a minute: Flagger's ticks are ten seconds."""
    stage.declare("good")
    stage.declare("worse", pauses=LONG)
    stage.declare("quiet")
    stage.declare("unseen")
    stage.declare("paused", pauses={50: 25})
    stage.declare("aborted", pauses=LONG)
    stage.declare("reverted", pauses=LONG)
    stage.declare("labelled", min_labels=20)
    models = ("good", "worse", "quiet", "unseen", "paused", "aborted", "reverted", "labelled")
    begin(stage, *models, seen=[model for model in models if model != "unseen"])
    stage.send("quiet", 2, rate=0)
    return stage


def begin(stage: Stage, *models: str, seen: Any = None) -> None:
    """Let rollouts of version 2 begin; all servers are asked alike, if Prometheus sees them."""
    for model in models:
        stage.phase(model, "Initialized")
        for version in (1, 2):
            if version == 1 or seen is None or model in seen:
                stage.send(model, version)
        stage.point(model, 2)


def kinds(stage: Stage, model: str, *without: str) -> list[str]:
    """Return what happened, in order: a wait and an end are noted by the judge, then by Flagger; the first counts."""
    found = list[str]()
    for entry in stage.told(model):
        kind, last = entry["kind"], found[-1] if found else ""
        again = kind == last == "held" or (kind in ENDS and last in ENDS)
        if kind not in ("note", "vetted", *without) and not again:
            found.append(kind)
    return found


def succeeds(stage: Stage, model: str) -> None:
    """Wait until a rollout has succeeded, and the judge has been told: that comes last."""
    stage.phase(model, "Succeeded")
    until(lambda: "promoted" in kinds(stage, model), 60, f"the promotion of {model} is noted")


def at_half(stage: Stage, model: str) -> None:
    until(lambda: stage.weight(model) == 50, 60, f"{model} has half of the traffic")


def test_evidence_above_the_limit_rolls_back_at_the_next_tick_without_a_failed_check(rollouts: Stage) -> None:
    at_half(rollouts, "worse")
    rollouts.send("worse", 2, failed=0.4)
    rollouts.phase("worse", *ENDED, timeout=TICK + 5)
    assert rollouts.status("worse")["phase"] == "Failed"
    assert (rollouts.weight("worse"), rollouts.live("worse")) == (0, 1)
    assert kinds(rollouts, "worse", "held") == ["started", "advanced", "rolled-back"]
    reason = next(entry["message"] for entry in rollouts.told("worse") if entry["kind"] == "rolled-back")
    assert reason.startswith("worse-v2: errors: ")


def test_an_abort_that_names_the_candidate_ends_its_rollout_and_the_next_one_at_once(rollouts: Stage) -> None:
    at_half(rollouts, "aborted")
    body = {"metadata": {"annotations": {ABORT: "aborted-v1: of another one"}}}
    rollouts.kube.patch(*CANARY, "aborted", NAMESPACE, body)
    assert rollouts.verdict("aborted")["run"]["aborted"] == ""
    body = {"metadata": {"annotations": {ABORT: "aborted-v2: the invoices are wrong"}}}
    rollouts.kube.patch(*CANARY, "aborted", NAMESPACE, body)
    rollouts.phase("aborted", "Failed", timeout=TICK + 5)
    (entry,) = [entry for entry in rollouts.told("aborted") if entry["kind"] == "aborted"]
    assert entry["message"] == "the invoices are wrong"
    rollouts.point("aborted", 1)
    # Before that, Flagger would take what comes next for what has failed.
    until(lambda: applied(rollouts, "aborted"), 30, "Flagger has seen the target back")
    rollouts.point("aborted", 2)
    rollouts.phase("aborted", "Progressing", timeout=30)
    rollouts.phase("aborted", "Failed", timeout=TICK + 5)
    assert kinds(rollouts, "aborted")[-2:] == ["started", "aborted"]
    assert rollouts.live("aborted") == 1


def test_invariant_9_a_target_pointed_back_in_mid_rollout_promotes_nothing(rollouts: Stage) -> None:
    at_half(rollouts, "reverted")
    rollouts.point("reverted", 1)
    # Flagger starts anew for what it takes for another version, then asks at its next look.
    rollouts.phase("reverted", "Failed", timeout=3 * TICK + 5)
    assert (rollouts.weight("reverted"), rollouts.live("reverted")) == (0, 1)
    assert "promoted" not in kinds(rollouts, "reverted")
    # It may be tried again: nothing of it counts as promoted.
    rollouts.point("reverted", 2)
    rollouts.phase("reverted", "Progressing", timeout=3 * TICK)


def applied(stage: Stage, model: str) -> bool:
    status = stage.status(model)
    return bool(status["lastAppliedSpec"] == status["lastPromotedSpec"])


def test_a_candidate_that_nobody_can_measure_fails_and_is_never_promoted(rollouts: Stage) -> None:
    rollouts.phase("unseen", "Failed")
    assert rollouts.live("unseen") == 1
    halted = [entry["message"] for entry in rollouts.told("unseen") if entry["kind"] == "halted"]
    assert len(halted) == 3
    assert all("unseen-v2: no data: Prometheus has scraped none of its servers lately" in line for line in halted)
    assert kinds(rollouts, "unseen")[-1] == "rolled-back"


def test_too_little_traffic_holds_without_failing_and_goes_on_when_there_is_enough(rollouts: Stage) -> None:
    at_half(rollouts, "quiet")
    since = time.monotonic()
    until(lambda: "held" in kinds(rollouts, "quiet"), 30, "the rollout is held")
    until(lambda: time.monotonic() - since > 3 * TICK, 60, "three more ticks")
    status = rollouts.status("quiet")
    assert (status["phase"], status["canaryWeight"], status["failedChecks"]) == ("Progressing", 50, 0)
    assert kinds(rollouts, "quiet") == ["started", "advanced", "held"]
    assert rollouts.verdict("quiet")["waits_for"] == "quiet-v2: held at 50%: asked 0 times there, 20 are needed"
    rollouts.send("quiet", 2)
    succeeds(rollouts, "quiet")


def test_a_pause_is_kept_at_its_weight_alone(rollouts: Stage) -> None:
    succeeds(rollouts, "paused")
    first, second, *_, promoted = (
        entry["at"] for entry in rollouts.told("paused") if entry["kind"] in ("advanced", "promoted")
    )
    assert seconds_between(first, second) >= 25
    # From the last weight it takes three ticks: promoting, finalising, done.
    assert seconds_between(second, promoted) < 3 * TICK + 5


def seconds_between(one: str, other: str) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(other) - datetime.fromisoformat(one)).total_seconds()


def test_a_promotion_waits_for_labels(rollouts: Stage) -> None:
    rollouts.phase("labelled", "WaitingPromotion")
    assert rollouts.weight("labelled") == 100
    assert "0 of its answers have a label, 20 are needed" in rollouts.verdict("labelled")["waits_for"]
    assert rollouts.live("labelled") == 1
    for version in (1, 2):
        rollouts.send("labelled", version, labelled=0.5, right=0.48)
    succeeds(rollouts, "labelled")
    assert rollouts.live("labelled") == 2
    assert kinds(rollouts, "labelled") == ["started", "advanced", "advanced", "held", "promoted"]


def test_a_good_candidate_is_promoted_step_by_step(rollouts: Stage) -> None:
    succeeds(rollouts, "good")
    assert rollouts.live("good") == 2
    assert kinds(rollouts, "good") == ["started", "advanced", "advanced", "promoted"]
    assert [entry["weight"] for entry in rollouts.told("good") if entry["kind"] == "advanced"] == [50, 100]


def test_a_judge_that_is_away_for_a_minute_promotes_nothing_and_loses_no_event(stage: Stage) -> None:
    # The pause keeps both at half until the judge is gone.
    stage.declare("outage", threshold=20, pauses={50: 30})
    stage.declare("gone", threshold=3, pauses=LONG)
    begin(stage, "outage", "gone")
    at_half(stage, "outage")
    at_half(stage, "gone")
    before = stage.told("outage")
    stage.kill("judge")
    died = time.monotonic()
    stage.phase("gone", "Failed", timeout=60)
    until(lambda: time.monotonic() - died > 60, 61, "a minute has passed")
    status = stage.status("outage")
    assert (status["phase"], status["canaryWeight"]) == ("Progressing", 50)
    assert status["failedChecks"] >= 4
    assert (stage.live("outage"), stage.live("gone")) == (1, 1)

    stage.judge()
    until(lambda: failed(stage, "outage") == stage.status("outage")["failedChecks"], 60, "all failed checks are noted")
    until(lambda: "rolled-back" in kinds(stage, "gone"), 30, "the end is noted")
    assert [entry for entry in stage.told("outage") if not entry["recovered"]][: len(before)] == before
    assert failed(stage, "gone") == 3
    succeeds(stage, "outage")
    told = kinds(stage, "outage")
    assert (told.count("started"), told.count("advanced"), told.count("promoted")) == (1, 2, 1)


def failed(stage: Stage, model: str) -> int:
    return sum(entry["count"] for entry in stage.told(model) if entry["kind"] == "halted")


def test_flagger_killed_at_every_phase_never_puts_an_unvetted_version_before_all_users(stage: Stage) -> None:
    stage.declare("killed", min_labels=20)
    stage.declare("spoilt")
    stage.ready("killed", 2, "False")
    seen = list[str]()

    def at(phase: str) -> None:
        stage.phase("killed", phase)
        stage.kill("flagger")
        seen.append(phase)
        assert stage.live("spoilt") == 1
        stage.flagger()

    at("Initialized")
    stage.phase("spoilt", "Initialized")
    for model in ("killed", "spoilt"):
        stage.send(model, 1)
        stage.send(model, 2, failed=0.5 if model == "spoilt" else 0)
        stage.point(model, 2)
    at("Waiting")
    stage.ready("killed", 2)
    at("Progressing")
    at_half(stage, "killed")
    at("Progressing")
    stage.phase("spoilt", "Failed")
    at("WaitingPromotion")
    assert stage.live("killed") == 1
    for version in (1, 2):
        stage.send("killed", version, labelled=0.5, right=0.5)
    stage.phase("killed", "Promoting")
    stage.kill("flagger")
    # As if it had been killed before it said so: the Service is written first.
    body = {"status": {"phase": "WaitingPromotion"}}
    stage.kube.patch(*CANARY, "killed", NAMESPACE, body, subresource="status")
    assert stage.live("killed") == 2
    stage.flagger()
    at("Promoting")
    at("Finalising")
    at("Succeeded")
    assert stage.live("killed") == 2
    assert stage.weight("killed") == 0
    succeeds(stage, "killed")
    told = kinds(stage, "killed")
    assert (told.count("promoted"), "rolled-back" in told) == (1, False)
    assert seen == ["Initialized", "Waiting", "Progressing", "Progressing", "WaitingPromotion", *PROMOTION]


PROMOTION = ["Promoting", "Finalising", "Succeeded"]
