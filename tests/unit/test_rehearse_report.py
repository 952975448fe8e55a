"""What a reviewer reads of a rehearsal."""

from __future__ import annotations

from typing import Any

import pytest
from builders import a_release, a_spec, an_environment

from slipway.delivery.record import Decision, Measured, Outcome, Point, RolloutRecord
from slipway.errors import SlipwayError
from slipway.models.spec import ModelSpec
from slipway.rehearse import exposure
from slipway.rehearse.answers import Answers, Comparison
from slipway.rehearse.report import markdown, span
from slipway.rehearse.result import Rehearsal, conclude, foresee
from slipway.rehearse.run import Played, unseen
from slipway.rehearse.sides import Sides
from slipway.rehearse.stage import Stage, fast, on_stage, rate, stage
from slipway.settings.environment import Environment

SPEC = a_spec(
    objectives={
        "success_rate_percent": {"at_least": 99.5},
        "latency_p95_ms": {"at_most": 250},
        "correct_percent": {"at_least": 90},
    },
    rollout={"requests_per_second": 20, "pauses": {25: 600}, "min_labels": 50},
    serving={"replicas": {"min": 2, "max": 4}},
)
SIDES = Sides(a_release(version=7), a_release(version=8, metrics={"accuracy": 0.95}))
JUDGED = an_environment("prod", judge_url="http://judge:9091")
LAB = an_environment("local", judge_url="http://10.244.0.1:9091", namespace="models", service_account="model-reader")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposure, "FACTORS", (1, 4))
    monkeypatch.setattr(exposure, "PLAYED", 5)


def a_record(outcome: Outcome, reason: str) -> RolloutRecord:
    return RolloutRecord(
        environment="prod, rehearsed in the lab",
        model="churn",
        namespace="rehearsal-1",
        strategy="canary",
        stable_version=7,
        candidate_version=8,
        stable_release="v7-000000000000",
        candidate_release="v8-000000000000",
        outcome=outcome,
        reason=reason,
        started="2026-11-21T16:30:00Z",
        ended="2026-11-21T16:31:00Z",
        steps=(10, 25, 50, 100),
        interval_seconds=10,
        threshold=3,
        points=(
            Point(
                at="2026-11-21T16:30:30Z",
                phase="Progressing",
                weight=50,
                evidence=0.5,
                primary=Measured(requests=1200, latency_p95_ms=12.0, labelled=600, right=570),
                canary=Measured(requests=800, failed=8, latency_p95_ms=9.0, labelled=400, right=388),
            ),
        ),
    )


def rehearsed(
    outcome: Outcome = "promoted",
    reason: str = "the candidate takes over",
    spec: ModelSpec = SPEC,
    sides: Sides = SIDES,
    environment: Environment = JUDGED,
    comparison: Comparison | None = None,
) -> Rehearsal:
    same = comparison or Comparison(
        requests=50, differ=3, labelled=40, stable_right=38, candidate_right=39, mended=2, broken=1
    )
    played = Played(a_record(outcome, reason), same, 20.0)
    prediction = foresee(spec, sides, environment)
    return conclude(spec, sides, environment, prediction, played, labelled=True, generated=False)


def test_the_verdict_is_the_first_line_and_the_reason_the_next() -> None:
    good, bad = markdown(rehearsed()), markdown(rehearsed("failed", "churn-v8: errors: 8 of 20 failed"))
    assert good.splitlines()[:3] == [
        "### `churn` v7 → v8 ✅ would be promoted in prod",
        "",
        "In the lab it was promoted by Flagger: the evidence against it never rose above 0.5 of 20.",
    ]
    assert bad.splitlines()[:3] == [
        "### `churn` v7 → v8 ❌ would be rolled back in prod",
        "",
        "In the lab it was rolled back by Flagger at 50 % of the traffic: errors: 8 of 20 failed.",
    ]


def test_both_versions_stand_side_by_side() -> None:
    text = markdown(rehearsed())
    for row in (
        "| | stable v7 | candidate v8 |",
        "| requests in the lab | 1,200 | 800 |",
        "| failed | 0 | 8 (1 %) |",
        "| p95 latency | 12 ms | 9 ms |",
        "| right answers | 95.0 % of 600 | 97.0 % of 400 |",
        "| right on the same 40 requests | 38 | 39 |",
        "| accuracy in the registry | 0.9 | 0.95 |",
    ):
        assert row in text
    assert "answers 3 of them otherwise. Of those with a known truth it fixes 2 and breaks 1." in text


def test_the_environments_own_timeline_is_told_not_the_labs() -> None:
    text = markdown(rehearsed())
    assert "**What prod would do** at 20 requests a second, with a look every 60 s:" in text
    assert "| 10 % | 120 requests | 60 s | 2.5 min after `up` |" in text
    assert "| 25 % | 3,000 requests | 10 min | 12.5 min after `up`, its pause |" in text
    assert "Promoted about **14.5 min** after `up`, after 4,920 requests of users." in text
    assert "It waits there until 50 of these answers have a label (1 % of them)." in text


def test_a_gate_that_fails_refuses_what_the_lab_would_promote() -> None:
    found = rehearsed(sides=Sides(SIDES.stable, SIDES.candidate, ("accuracy is 0.7, expected at least 0.8",)))
    assert found.verdict == "refused"
    text = markdown(found)
    assert "⛔ cannot be released in prod" in text
    assert "- In the lab it was promoted by Flagger: the evidence" in text


def test_a_plan_that_can_never_end_well_is_refused_before_anything_is_played() -> None:
    slow = a_spec(rollout={"requests_per_second": 0.001, "steps": [1, 100]})
    prediction = foresee(slow, SIDES, JUDGED)
    assert prediction.refusals[0].startswith("models/churn.yaml: rollout.steps: the first step, 1% of")
    assert (prediction.timeline, prediction.exposures) == (None, ())
    found = conclude(slow, SIDES, JUDGED, prediction, None, labelled=False, generated=True)
    assert (found.verdict, found.record) == ("refused", None)
    assert found.reason == prediction.refusals[0]
    assert "What prod would do" not in markdown(found)


def test_a_rollout_that_failed_because_the_stable_version_was_not_seen_says_nothing() -> None:
    def halted(*reasons: str) -> RolloutRecord:
        decided = [Decision(at="2026-11-21T16:30:30Z", kind="halted", weight=10, reason=reason) for reason in reasons]
        return a_record("failed", reasons[-1]).model_copy(update={"decisions": tuple(decided)})

    blind = "churn-v8: no data: Prometheus has scraped no server of churn-v7 lately"
    assert unseen(halted(blind, blind)) == f"the lab could not measure it: {blind}"
    assert unseen(halted(blind, "churn-v8: its server does not answer the scrape")) == ""
    assert unseen(a_record("failed", "errors")) == ""


def test_a_rehearsal_can_be_read_back() -> None:
    found = rehearsed()
    assert Rehearsal.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("seconds", "text"), [(45, "45 s"), (90, "1.5 min"), (600, "10 min"), (5400, "1 h 30 min"), (7200, "2 h")]
)
def test_durations_have_the_unit_that_people_use(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_the_lab_plays_the_environments_rollout_on_flaggers_fastest_clock() -> None:
    environment = on_stage("rehearsal-1", LAB, JUDGED)
    assert environment.rollout == JUDGED.rollout.model_copy(update={"interval_seconds": 10})
    assert (environment.namespace, environment.judge_url) == ("rehearsal-1", LAB.judge_url)
    assert environment.gateway.host_suffix == "rehearsal.models.example.com"
    assert on_stage("rehearsal-1", LAB, an_environment("prod")).judge_url is None


def test_pauses_last_as_many_looks_as_they_do_in_the_environment() -> None:
    played = fast(SPEC, JUDGED, labelled=True)
    assert (played.rollout.pauses, played.rollout.min_labels) == ({25: 100}, 50)
    assert (played.serving.replicas.min, played.serving.replicas.max) == (1, 1)
    blind = fast(SPEC, JUDGED, labelled=False)
    assert (blind.rollout.min_labels, blind.objectives.correct_percent) == (0, None)


@pytest.mark.parametrize(
    ("first", "own", "sent"),
    [(10, 20.0, 20.0), (10, 3.0, 10.0), (2, 20.0, 34.0), (1, 20.0, 40.0), (10, 900.0, 40.0)],
)
def test_the_lab_is_asked_as_often_as_a_small_first_step_needs(first: int, own: float, sent: float) -> None:
    spec = a_spec(rollout={"requests_per_second": own, "steps": [first, 100], "min_requests_per_step": 20})
    assert rate(spec, JUDGED) == sent


def test_everything_is_in_the_rehearsals_own_namespace_and_users_start_on_the_stable_version() -> None:
    made: Stage = stage("rehearsal-1", SPEC, SIDES, LAB, JUDGED, keys=("access", "secret"), labelled=True)
    namespaced: list[dict[str, Any]] = [each for each in made.before if each["kind"] != "Namespace"]
    assert {each["metadata"]["namespace"] for each in namespaced} == {"rehearsal-1"}
    assert made.before[0]["metadata"] == {"name": "rehearsal-1", "labels": {"slipway.dev/rehearsal": "churn"}}
    selectors = {each["metadata"]["name"]: each["spec"]["selector"] for each in namespaced if each["kind"] == "Service"}
    assert {each["app"] for each in selectors.values()} == {"isvc.churn-v7-predictor"}
    assert made.target["spec"]["selector"] == {"app": "isvc.churn-v8-predictor"}


class Sink:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def predicted(self, predictions: Any) -> None:
        self.told += predictions

    def labelled(self, labels: Any) -> None:
        self.told += labels


def predictions(version: str, **answers: float) -> list[dict[str, Any]]:
    return [
        {"id": f"{version}-{key}", "version": version, "inputs": {"row": key}, "prediction": answer}
        for key, answer in answers.items()
    ]


def test_each_request_is_its_own_control() -> None:
    sink = Sink()
    answers = Answers(sink)
    answers.predicted(predictions("7", a=0, b=0, c=1, d=1, e=0))
    answers.predicted(predictions("8", a=0, b=1, c=0, e=1))
    labels = {"7-a": 0.0, "8-b": 1.0, "7-c": 1.0, "8-e": 1.0}
    answers.labelled([{"id": name, "label": label} for name, label in labels.items()])
    assert answers.compare(7, 8, None) == Comparison(
        requests=4, differ=3, labelled=4, stable_right=2, candidate_right=3, mended=2, broken=1
    )
    assert len(sink.told) == 13


def test_a_number_is_the_same_as_far_as_the_model_spec_says() -> None:
    answers = Answers(None)
    answers.predicted(predictions("7", a=10.0, b=10.0) + predictions("8", a=10.4, b=11.0))
    found = answers.compare(7, 8, 0.5)
    assert (found.differ, found.within) == (1, 0.5)
    assert "1 of them more than 0.5 away from the stable version." in markdown(rehearsed(comparison=found))


def test_what_observe_does_not_take_is_compared_all_the_same() -> None:
    class Away(Sink):
        def predicted(self, predictions: Any) -> None:
            raise SlipwayError("away")

    answers = Answers(Away())
    for version in ("7", "8"):
        with pytest.raises(SlipwayError):
            answers.predicted(predictions(version, a=1))
    assert answers.compare(7, 8, None).requests == 1
