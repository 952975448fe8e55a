"""The ledger, with what is found again after the judge was away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slipway.clients.prometheus import Series
from slipway.judge.ledger import Entry, Ledger, of_message
from slipway.judge.recover import from_events, from_history, from_status
from slipway.times import stamp

T = 1_795_000_000.0
NOW = T + 600
HALT = "Halt churn.models advancement evidence 25.00 > 20"


def an_entry(at: float = T, kind: str = "halted", message: str = HALT, **more: Any) -> Entry:
    return Entry(stamp(at), "models", "churn", kind, message, **more)


def test_what_was_noted_is_there_after_a_crash_in_the_middle_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "of" / "ledger.jsonl"
    first = Ledger(path)
    assert first.add(an_entry(weight=25))
    first.close()
    with path.open("ab") as file:
        file.write(b'{"at":"2026-11-21T16:30:0')
    second = Ledger(path)
    assert second.entries() == (an_entry(weight=25),)
    assert second.add(an_entry(T + 1))
    second.close()
    third = Ledger(path)
    assert third.entries() == (an_entry(weight=25), an_entry(T + 1))
    third.close()


@pytest.mark.parametrize(
    "line", ["", "null", "[]", "{}", '{"at":"now","namespace":"","model":"","kind":"","message":""}']
)
def test_a_line_that_is_no_entry_is_passed_over(tmp_path: Path, line: str) -> None:
    (tmp_path / "ledger").write_text(line + "\n")
    ledger = Ledger(tmp_path / "ledger")
    assert ledger.entries() == ()
    ledger.close()


def test_an_entry_is_noted_once_also_when_it_is_recovered(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    assert ledger.add(an_entry())
    assert not ledger.add(an_entry())
    assert not ledger.add(an_entry(recovered=True))
    ledger.close()
    assert len((tmp_path / "ledger").read_text().splitlines()) == 1


def test_entries_are_given_in_order_of_time_by_namespace_model_and_since(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    late, early = an_entry(T + 5), an_entry(T)
    other = replace(early, model="fraud")
    for entry in (late, early, other):
        ledger.add(entry)
    assert ledger.entries("models", "churn") == (early, late)
    assert ledger.entries(since=T + 1) == (late,)
    assert ledger.entries("elsewhere") == ()
    ledger.close()


def event(message: str, first: float, last: float, count: int = 1) -> dict[str, Any]:
    return {
        "involvedObject": {"kind": "Canary", "namespace": "models", "name": "churn"},
        "message": message,
        "firstTimestamp": stamp(first),
        "lastTimestamp": stamp(last),
        "count": count,
    }


def test_events_that_the_ledger_missed_are_counted_once() -> None:
    known = [an_entry(T + 0.4), an_entry(T + 10.4)]
    events = [event(HALT, T, T + 40, 5)]
    (found,) = from_events(events, known, NOW)
    assert (found.count, found.recovered, found.time, found.kind) == (3, True, T + 40, "halted")
    assert list(from_events(events, [*known, found], NOW)) == []


def test_an_event_is_the_same_with_the_end_of_its_line() -> None:
    entry = of_message(T, "models", "churn", "Metric query failed for evidence: error response: no data\n")
    assert entry is not None
    assert list(from_events([event(entry.message + "\n", T, T)], [entry], NOW)) == []


def test_an_event_that_flagger_may_still_tell_itself_is_left_alone() -> None:
    assert list(from_events([event(HALT, T, T)], [], T + 5)) == []


def test_merged_events_give_their_last_message() -> None:
    text = "(combined from similar events): Advance churn.models canary weight 50"
    (found,) = from_events([event(text, T, T + 90, 14)], [], NOW)
    assert (found.kind, found.weight, found.count, found.time) == ("advanced", 50, 1, T + 90)


def canary(phase: str, promoted: str, at: float, **status: Any) -> dict[str, Any]:
    condition = {"type": "Promoted", "status": promoted, "lastTransitionTime": stamp(at), "message": "as Flagger says"}
    status = {"phase": phase, "conditions": [condition], "lastTransitionTime": stamp(T + 60), **status}
    return {"metadata": {"namespace": "models", "name": "churn"}, "status": status}


@pytest.mark.parametrize(
    ("found", "known", "expected"),
    [
        (canary("Progressing", "Unknown", T), [], [("started", 1)]),
        (canary("Progressing", "Unknown", T), [an_entry(T, "started")], []),
        (canary("Progressing", "Unknown", T), [an_entry(T - 300, "started")], [("started", 1)]),
        (
            canary("Progressing", "Unknown", T, failedChecks=4),
            [an_entry(T, "started"), an_entry(T + 10)],
            [("halted", 3)],
        ),
        (canary("Failed", "False", T), [], [("rolled-back", 1)]),
        (canary("Failed", "False", T), [an_entry(T - 1, "aborted")], []),
        (canary("Failed", "False", T), [an_entry(T - 500, "rolled-back")], [("rolled-back", 1)]),
        (canary("Failed", "False", T), [an_entry(T - 600, "started"), an_entry(T - 500, "rolled-back")], []),
        (
            canary("Failed", "False", T),
            [an_entry(T - 500, "rolled-back"), an_entry(T - 60, "started")],
            [("rolled-back", 1)],
        ),
        (canary("Succeeded", "True", T), [an_entry(T - 500, "rolled-back")], [("promoted", 1)]),
        (canary("Initialized", "True", T), [], []),
        (canary("Waiting", "Unknown", T), [], []),
    ],
)
def test_what_a_canary_shows_is_noted_where_it_is_missing(found: Any, known: list[Entry], expected: Any) -> None:
    assert [(entry.kind, entry.count) for entry in from_status([found], known, NOW)] == expected


def test_steps_that_only_prometheus_remembers_are_noted_once() -> None:
    weights = [(T + 5 * index, value) for index, value in enumerate([0, 0, 10, 10, 10, 10, 25, 25, 25, 0, 0, 0.0])]
    history = [
        Series({"namespace": "models", "workload": "churn"}, tuple(weights)),
        Series({"namespace": "models", "workload": "churn-primary"}, tuple(weights)),
    ]
    models = {("models", "churn")}
    known = [an_entry(T + 9.8, "advanced", weight=10)]
    (found,) = from_history(history, models, known, NOW)
    assert (found.weight, found.time, found.recovered) == (25, T + 30, True)
    assert list(from_history(history, models, [*known, found], NOW)) == []
