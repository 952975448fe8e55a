"""How the record of a rollout is put together."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from builders import an_environment
from rollouts import BEGAN, ENDED, POLICY, at, objects, state

from slipway.clients.prometheus import Sample, Series
from slipway.delivery import assemble, collect, history, measure
from slipway.delivery.history import Noted, of_flagger
from slipway.delivery.measure import Readings, Side
from slipway.errors import ExitCode, SlipwayError
from slipway.rollout.state import read

START, END = at(BEGAN), at(ENDED)
GRID = measure.moments(START, END + 10, 10, whole=True)
STABLE, CANDIDATE = Side("churn-primary", "churn-v7", 7), Side("churn-canary", "churn-v8", 8)


def counter(side: Side, values: list[float], code: str = "200", pod: str = "p") -> Series:
    labels = {"service": side.service, "inferenceservice": side.inference_service, "pod": pod, "status_code": code}
    return Series(labels, tuple(zip(GRID, values, strict=False)))


def flagger(metric: str, values: list[float]) -> Series:
    return Series({"__name__": metric}, tuple(zip(GRID, values, strict=False)))


def said(*messages: tuple[float, str]) -> list[Noted]:
    return [of_flagger(START + later, message) for later, message in messages]


#: What Flagger says in a rollout that fails, in its own words.
FAILED = said(
    (0, "New revision detected! Scaling up churn.models"),
    (10, "Starting canary analysis for churn.models"),
    (10, "Confirm-traffic-increase check gate passed"),
    (10, "Advance churn.models canary weight 10"),
    (20, "Advance churn.models canary weight 25"),
    (30, "Halt churn.models advancement waiting for traffic increase approval gate"),
    (40, "Halt churn.models advancement evidence 35.20 > 20"),
    (50, "Halt advancement no values found for custom metric: evidence: no values found"),
    (60, "Rolling back churn.models failed checks threshold reached 2"),
    (60, "Canary failed! Scaling down churn.models"),
)


def test_flaggers_words_become_decisions_with_the_reason_in_plain_words() -> None:
    found = history.decisions(FAILED, START, END)
    assert [(each.kind, each.weight, each.reason) for each in found] == [
        ("started", 0, "a new version is tried"),
        ("advanced", 10, "the candidate gets 10 % of the traffic"),
        ("advanced", 25, "the candidate gets 25 % of the traffic"),
        ("held", 25, "not enough seen at this weight yet"),
        ("halted", 25, "evidence 35.20 > 20"),
        ("halted", 25, "no data for evidence"),
        ("rolled-back", 0, "no data for evidence"),
    ]


@pytest.mark.parametrize(("abort", "kind", "reason"), [("it lies", "aborted", "it lies"), ("", "rolled-back", "slow")])
def test_a_rollback_hook_is_the_judge_unless_a_person_has_asked(abort: str, kind: str, reason: str) -> None:
    noted = said((0, "New revision detected! Scaling up"), (20, "Halt churn.models advancement slow"))
    noted += said((30, "Rolling back churn.models manual webhook invoked"), (30, "Canary failed! Scaling down"))
    last = history.decisions(noted, START, END, abort)[-1]
    assert (last.kind, last.reason) == (kind, reason)


def test_events_that_kubernetes_has_folded_count_as_often_as_they_happened() -> None:
    message = "Halt churn.models advancement evidence 35.20 > 20"
    folded = {"firstTimestamp": BEGAN, "lastTimestamp": ENDED, "count": 3, "message": message}
    noted = history.noted_in_events([folded, {"firstTimestamp": BEGAN, "count": 1, "message": "Advance"}])
    assert history.failed_checks(noted, START, START + 1) == 1
    assert history.failed_checks(noted, START, END) == 3
    assert history.decisions(noted, START, END)[-1].reason == "evidence 35.20 > 20 (2 times)"


def test_the_ledger_is_read_for_one_model() -> None:
    entries = [
        {
            "at": ENDED,
            "namespace": "models",
            "model": "churn",
            "kind": "rolled-back",
            "message": "4 % wrong",
            "run": BEGAN,
            "weight": 25,
        },
        {
            "at": BEGAN,
            "namespace": "models",
            "model": "churn",
            "kind": "note",
            "message": "Copying churn.m template spec to p",
        },
        {"at": BEGAN, "namespace": "models", "model": "other", "kind": "held", "message": "c"},
    ]
    assert history.noted_in_ledger(entries, "models", "churn") == [
        Noted(START, "the candidate takes over"),
        Noted(END, "4 % wrong", "rolled-back", weight=25, own=True),
    ]


def test_the_judges_own_line_is_the_reason_whatever_flagger_adds() -> None:
    noted = [
        *FAILED[:5],
        Noted(START + 25, "held at 25%: asked 9 times there, 20 are needed", "held", weight=25, own=True),
        Noted(START + 30, "10 of 80 requests failed", "rolled-back", weight=25, own=True),
        *said((31, "Rolling back churn.models manual webhook invoked"), (31, "Canary failed! Scaling down churn")),
    ]
    found = history.decisions(noted, START, END)
    assert [each.kind for each in found] == ["started", "advanced", "advanced", "held", "rolled-back"]
    assert found[-2].reason == "held at 25%: asked 9 times there, 20 are needed"
    assert (found[-1].reason, found[-1].weight) == ("10 of 80 requests failed", 0)


def test_requests_are_what_the_counters_grew_by() -> None:
    readings = Readings(
        GRID[:5],
        base=(Sample(counter(CANDIDATE, []).labels, 100.0),),
        counts=(
            counter(CANDIDATE, [90, 100, 130, 7, 9]),  # restarted: 7 since then
            counter(CANDIDATE, [math.nan, 0, 2, 2, 2], code="500"),
            counter(STABLE, [50, 60, 70, 80, 90]),
            counter(Side("churn-canary", "churn-v7", 7), [50, 60, 70, 80, 90]),
        ),
    )
    found = measure.measured(readings, CANDIDATE)
    assert [(each.requests, each.failed) for each in found] == [(0, 0), (32, 2), (7, 0), (2, 0)]


def test_quantiles_are_shown_only_for_intervals_with_requests() -> None:
    labels = {"service": "churn-canary", "inferenceservice": "churn-v8", "q": "0.95"}
    readings = Readings(
        GRID[:4],
        counts=(counter(CANDIDATE, [0, 0, 10, 20]),),
        latencies=(Series(labels, ((GRID[1], 12.34), (GRID[2], math.nan), (GRID[3], 56.78))),),
    )
    assert [each.latency_p95_ms for each in measure.measured(readings, CANDIDATE)] == [None, None, 56.8]


def test_labels_are_counted_by_version_from_the_start_of_the_rollout() -> None:
    def labels(metric: str, version: str, values: list[float]) -> Series:
        return Series({"__name__": metric, "version": version}, tuple(zip(GRID, values, strict=False)))

    readings = Readings(
        GRID[:3],
        labels=(
            labels("slipway_labelled_total", "8", [100, 110, 130]),
            labels("slipway_right_total", "8", [90, 95, 105]),
            labels("slipway_labelled_total", "7", [0, 0, 1]),
        ),
    )
    found = measure.measured(readings, CANDIDATE)
    assert [(each.labelled, each.right) for each in found] == [(10, 5), (20, 10)]


def test_a_grid_ends_now_while_a_rollout_runs_and_after_its_end_otherwise() -> None:
    assert measure.moments(0, 25, 10, whole=False) == (0, 10, 20, 25)
    assert measure.moments(0, 20, 10, whole=False) == (0, 10, 20)
    assert measure.moments(0, 25, 10, whole=True) == (0, 10, 20, 30)


def test_one_more_moment_joins_series_of_the_same_labels() -> None:
    a, b = {"pod": "a"}, {"pod": "b"}
    found = measure.joined([Series(a, ((0, 1),))], [Sample(a, 2), Sample(b, 3)], 5)
    assert found == (Series(a, ((0, 1), (5, 2))), Series(b, ((5, 3),)))


READINGS = Readings(
    GRID,
    counts=(
        counter(CANDIDATE, [0, 0, 10, 30, 50, 70, 90, 92]),
        counter(CANDIDATE, [0, 0, 0, 0, 5, 5, 8, 8], code="500"),
        counter(STABLE, [0, 100, 190, 270, 350, 430, 510, 600]),
    ),
    flagger=(
        # Flagger is not always scraped between its end and the next look
        flagger("flagger_canary_weight", [0, 10, 25, 25, 25, 25, 0, 25]),
        # until the third moment it is the value of a rollout before
        flagger("flagger_canary_metric_analysis", [99, 99, 1.5, 8, 35.2, 35.2, 35.2, 35.2]),
    ),
)


def test_the_record_of_a_rollout_that_failed() -> None:
    seen = state(phase="Failed", weight=0)
    found = assemble.record(an_environment(), seen, FAILED, READINGS, START, END)
    assert (found.outcome, found.reason) == ("failed", "no data for evidence")
    assert (found.stable_version, found.candidate_version) == (7, 8)
    assert (found.candidate_release, found.started, found.ended) == ("v8-000000000008", BEGAN, ENDED)
    assert (found.steps, found.interval_seconds, found.threshold) == ((10, 25, 100), 10, 2)
    assert (found.strategy, found.policy) == ("canary", POLICY)
    assert [each.weight for each in found.points] == [10, 25, 25, 25, 25, 25, 0]
    assert [each.evidence for each in found.points] == [None, 1.5, 8, 35.2, 35.2, 35.2, None]
    assert [each.failed_checks for each in found.points] == [0, 0, 0, 1, 2, 2, 2]
    assert found.points[-1].phase == "Failed"
    assert (found.exposure.requests, found.exposure.failed, found.exposure.seconds) == (100, 8, 60)


def test_copies_that_a_shadow_was_asked_expose_nobody() -> None:
    seen = state(phase="Failed", weight=0)
    analysis = seen.canary["spec"]["analysis"]
    for hook in analysis["webhooks"]:
        hook["metadata"]["policy"] = POLICY[:-1] + ',"shadow":true}'
    found = assemble.record(an_environment(), seen, FAILED, READINGS, START, END)
    assert (found.strategy, found.outcome) == ("shadow", "failed")
    assert (found.exposure.requests, found.exposure.failed, found.exposure.seconds) == (0, 0, 0)


def test_after_a_promotion_the_candidate_is_what_serves_and_its_users_are_no_longer_counted() -> None:
    noted = [
        *FAILED[:5],
        *said(
            (40, "Copying churn.models template spec to churn-primary.models"),
            (60, "Promotion completed! Scaling down churn.models"),
        ),
    ]
    seen = state(live=8, phase="Succeeded", weight=0)
    found = assemble.record(an_environment(), seen, noted, READINGS, START, END)
    assert (found.stable_version, found.candidate_version, found.outcome) == (7, 8, "promoted")
    assert found.reason == "the candidate takes over"
    assert found.exposure.requests == 75
    assert [each.phase for each in found.points][3:5] == ["Promoting", "Promoting"]
    gone = state(live=8, phase="Succeeded", weight=0, running=(8,))
    assert assemble.record(an_environment(), gone, noted, READINGS, START, END).stable_version == 7


def test_evidence_is_the_judges_own_from_the_first_weight_on() -> None:
    # until the second moment it is the value of a rollout before
    own = flagger("slipway_judge_evidence", [7, 98.7, 1.2, 5, 6, 7, 7, 7])
    weights = flagger("flagger_canary_weight", [0, 10, 0, 0, 0, 0, 0, 0])
    found = measure.evidences(Readings(GRID, flagger=(weights, own)))
    assert found == [None, 98.7, 1.2, None, None, None, None, None]


@pytest.mark.parametrize("phase", ["Promoting", "Finalising"])
def test_while_flagger_promotes_the_primary_selects_the_candidate_already(phase: str) -> None:
    seen = state(live=8, phase=phase, weight=100)
    found = assemble.record(an_environment(), seen, FAILED[:2], READINGS, START, None)
    assert (found.stable_version, found.candidate_version, found.outcome) == (7, 8, "running")


def test_a_candidate_that_has_been_removed_is_known_by_its_measurements() -> None:
    seen = state(target=7, phase="Failed", weight=0, running=(7,))
    found = assemble.record(an_environment(), seen, FAILED, READINGS, START, END)
    assert (found.stable_version, found.candidate_version, found.candidate_release) == (7, 8, "")


def test_a_candidate_that_nobody_asked_anything_is_known_by_what_the_judge_noted() -> None:
    entry = {"namespace": "models", "model": "churn", "kind": "aborted", "message": "churn-v8: aborted: it lies"}
    noted = history.noted_in_ledger([{**entry, "at": ENDED, "candidate": "churn-v8"}], "models", "churn")
    seen = state(target=7, phase="Failed", weight=0, running=(7,))
    found = assemble.record(an_environment(), seen, noted, Readings(GRID), START, END)
    assert (found.candidate_version, found.outcome, found.reason) == (8, "aborted", "it lies")


def test_a_step_between_two_looks_is_seen_by_what_was_decided() -> None:
    weights = flagger("flagger_canary_weight", [0] * len(GRID))
    noted = said((10.5, "Advance churn.models canary weight 10"), (20, "Rolling back churn.models failed checks"))
    seen = state(phase="Failed", weight=0)
    found = assemble.record(an_environment(), seen, noted, Readings(GRID[:5], flagger=(weights,)), START, START + 20)
    assert [each.weight for each in found.points] == [0, 10, 0, 0]


def test_a_rollout_that_was_aborted_gives_the_persons_reason() -> None:
    seen = state(phase="Failed", weight=0, annotations={"slipway.dev/abort": "churn-v8: it lies"})
    found = assemble.record(an_environment(), seen, FAILED, READINGS, START, END)
    assert (found.outcome, found.reason) == ("aborted", "it lies")


class FakeKube:
    """Answers lists of one model's objects, with its Events."""

    def __init__(self, *arguments: Any, events: Any = (), **changes: Any) -> None:
        self.objects, self.events = objects(*arguments, **changes), list(events)

    def list(self, api_version: str, kind: str, namespace: str) -> list[dict[str, Any]]:
        return [each for each in self.objects if each["kind"] == kind]

    def url_of(self, *_: str) -> str:
        return "/events"

    def request(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"items": self.events}


class FakePrometheus:
    """Answers nothing, remembering the moments; or cannot be reached."""

    def __init__(self, away: bool = False, *found: Series) -> None:
        self.away, self.found, self.ranges = away, found, []

    def query(self, expression: str, at: float | None = None) -> tuple[Sample, ...]:
        return ()

    def query_range(self, expression: str, start: float, end: float, step: float) -> tuple[Series, ...]:
        if self.away:
            raise SlipwayError("away", ExitCode.UNREACHABLE)
        self.ranges.append((start, end))
        return tuple(each for each in self.found if each.labels.get("__name__", "-") in expression)


def collected(kube: Any, prometheus: Any, monkeypatch: pytest.MonkeyPatch, now: float = END + 60) -> Any:
    monkeypatch.delenv("SLIPWAY_JUDGE_URL", raising=False)
    monkeypatch.setattr(collect, "time", SimpleNamespace(time=lambda: now))
    return collect.collect(kube, prometheus, an_environment(), read(kube, "models", ["churn"])["churn"])


def test_a_running_rollout_is_collected_since_the_condition_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    prometheus = FakePrometheus()
    found = collected(FakeKube(), prometheus, monkeypatch, START + 25)
    assert (found.outcome, found.started, found.ended) == ("running", BEGAN, "")
    assert set(prometheus.ranges) == {(START, START + 20)}
    assert [each.at[-4:-1] for each in found.points] == [":15", ":25", ":30"]
    assert (found.points[-1].weight, found.points[-1].phase) == (25, "Progressing")


def test_without_prometheus_a_record_has_decisions_but_no_points(monkeypatch: pytest.MonkeyPatch) -> None:
    event = {"firstTimestamp": BEGAN, "count": 1, "message": "New revision detected! Scaling up churn.models"}
    kube = FakeKube(phase="Failed", weight=0, events=[event])
    found = collected(kube, FakePrometheus(away=True), monkeypatch)
    assert (found.outcome, found.started, found.points, len(found.decisions)) == ("failed", BEGAN, (), 1)


def test_a_start_that_nobody_noted_is_told_by_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = [0.0, 10, 0, 0, 10, 25, 0]
    known = Series({"__name__": "flagger_canary_weight"}, tuple((END - 70 + 10 * i, w) for i, w in enumerate(weights)))
    kube = FakeKube(phase="Failed", weight=0)
    found = collected(kube, FakePrometheus(False, known), monkeypatch)
    assert at(found.started) == END - 70 + 40 - 20


def test_a_model_without_a_rollout_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SlipwayError, match="churn: no rollout has been seen in staging; the next `slipway up` starts"):
        collected(FakeKube(target=7, phase="Initialized", weight=0), FakePrometheus(), monkeypatch)
