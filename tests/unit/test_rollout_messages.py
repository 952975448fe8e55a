"""What Flagger's sentences mean, wherever they are read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.delivery import history
from slipway.judge.ledger import as_json, entry_of, of_message
from slipway.rollout import messages
from slipway.times import iso

T = 1_795_000_000.0
#: Sentences of Flagger 1.41 with what they mean: kind, phase from then on, weight, plain words.
TRIED, OVER = "a new version is tried", "the candidate takes over"
SENTENCES: list[tuple[str, str | None, str, int | None, str]] = [
    ("New revision detected! Scaling up churn.models", "started", "Progressing", None, TRIED),
    (
        "New revision detected! Restarting analysis for churn.m",
        "started",
        "Progressing",
        None,
        "a new version is tried",
    ),
    (
        *("Advance churn.models canary weight 25", "advanced", "Progressing", 25),
        "the candidate gets 25 % of the traffic",
    ),
    ("Advance churn.models canary iteration 2/5", "advanced", "Progressing", None, "look 2/5 was well"),
    ("Routing all traffic to canary", "advanced", "Progressing", None, "the candidate gets all of the traffic"),
    (
        *("Stop traffic mirroring and route all traffic to canary", "advanced", "Progressing", None),
        "the candidate gets all of the traffic",
    ),
    (
        "Halt churn.models advancement waiting for approval confirm-rollout",
        "held",
        "Waiting",
        None,
        "waiting for approval",
    ),
    (
        *("Halt churn.models advancement waiting for promotion approval x", "held", "WaitingPromotion", None),
        "waiting for the approval of the promotion",
    ),
    ("Halt churn.models advancement evidence 25.00 > 20", "halted", "", None, "evidence 25.00 > 20"),
    (
        *("Halt advancement no values found for custom metric: evidence: no values found", "halted", "", None),
        "no data for evidence",
    ),
    *(
        (text, "halted", "", None, text)
        for text in (
            "Metric query failed for evidence: error response: churn-v2: no data",
            "Metric template judge-evidence.models error: not found",
            "Prometheus query failed: timeout",
        )
    ),
    (
        "Copying churn.models template spec to churn-primary.models",
        "promoted",
        "Promoting",
        None,
        "the candidate takes over",
    ),
    ("Promotion completed! Scaling down churn.models", "promoted", "Succeeded", None, OVER),
    (
        "Promotion completed! Canary analysis was skipped for x",
        "promoted",
        "Succeeded",
        None,
        "the candidate takes over",
    ),
    *(
        (text, "rolled-back", "Failed", None, text)
        for text in (
            "Rolling back churn.models failed checks threshold reached 3",
            "Rolling back churn.models progress deadline exceeded x",
            "Rolling back churn.models manual webhook invoked",
            "Canary failed! Scaling down churn.models",
        )
    ),
    ("Routing all traffic to primary", None, "Finalising", None, "Routing all traffic to primary"),
    *((text, None, "", None, text) for text in ("Starting canary analysis for x", "Rollback check x passed")),
]
IDLE = {
    "Rollback hook rollback not signaling a rollback": None,
    "Halt churn.models advancement waiting for traffic increase approval confirm-traffic-increase": "held",
}


@pytest.mark.parametrize(("message", "kind", "phase", "weight", "plain"), SENTENCES)
def test_a_sentence_says_what_a_rollout_did(
    message: str, kind: Any, phase: str, weight: int | None, plain: str
) -> None:
    assert messages.read(message) == messages.Meaning(plain, kind, phase, weight)


@pytest.mark.parametrize("message", IDLE)
def test_what_says_at_every_look_that_nothing_happened_is_no_entry(message: str) -> None:
    assert (messages.read(message).idle, messages.read(message).kind) == (True, IDLE[message])
    assert of_message(T, "models", "churn", message) is None


@given(st.lists(st.sampled_from([each[0] for each in SENTENCES]), max_size=12), st.sampled_from(["", "it lies"]))
def test_a_rollout_reads_the_same_in_the_ledger_and_in_the_events_of_kubernetes(told: list[str], abort: str) -> None:
    entries = [of_message(T + 10 * at, "models", "churn", text, phase="before") for at, text in enumerate(told)]
    events = [{"firstTimestamp": iso(T + 10 * at), "message": text} for at, text in enumerate(told)]
    by_ledger = history.noted_in_ledger([as_json(entry) for entry in entries if entry], "models", "churn")
    by_events = history.noted_in_events(events)
    assert history.decisions(by_ledger, T, T + 1000, abort) == history.decisions(by_events, T, T + 1000, abort)
    known = [(each.at, each.phase) for each in by_events if each.phase]
    assert [(each.at, each.phase) for each in by_ledger if each.phase != "before"] == known


@given(st.sampled_from([each[0] for each in SENTENCES]), st.sampled_from(["started", "halted", "promoted", "note"]))
def test_the_kind_that_a_ledger_has_stored_is_believed(message: str, kind: str) -> None:
    content = {"at": iso(T), "namespace": "models", "model": "churn", "kind": kind, "message": message}
    for stored in (content, {"schema": 2, **content}):
        assert entry_of(stored).kind == kind
        (noted,) = history.noted_in_ledger([stored], "models", "churn")
        assert noted.kind == (None if kind == "note" else kind)
