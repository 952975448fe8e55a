"""The live view: what it shows of a record, where it fits, when it says something new."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping

import pytest
from records import a_record, measured, point, promoted, rolled_back

from slipway.delivery import view
from slipway.delivery.record import RolloutRecord
from slipway.errors import ExitCode, SlipwayError

Looks = list[Mapping[str, RolloutRecord] | SlipwayError]


def watched(looks: Looks, *models: str, limit: float = 60) -> list[str]:
    """Return the lines that are printed without a terminal, one look after the other."""
    # After the end there is one look more.
    pending: Iterator[Mapping[str, RolloutRecord] | SlipwayError] = iter([*looks, looks[-1]])

    def look() -> Mapping[str, RolloutRecord]:
        found = next(pending)
        if isinstance(found, SlipwayError):
            raise found
        return found

    out = io.StringIO()
    view.watch(look, models or ("churn",), limit=limit, out=out, sleep=lambda _: None)
    return [line.strip() for line in out.getvalue().splitlines()]


def drawn(*records: RolloutRecord, trouble: str = "") -> list[str]:
    from rich.console import Console

    console = Console(width=view.WIDTH, file=io.StringIO())
    with console.capture() as captured:
        console.print(view.screen([record.model for record in records], {r.model: r for r in records}, trouble))
    return captured.get().splitlines()


def words(*records: RolloutRecord) -> list[str]:
    """Return what is drawn, however far apart it stands."""
    return [" ".join(line.split()) for line in drawn(*records)]


def named(record: RolloutRecord, model: str) -> RolloutRecord:
    return record.model_copy(update={"model": model})


def test_three_rollouts_fit_into_an_ordinary_terminal() -> None:
    long = rolled_back().model_copy(update={"reason": "because " * 40})
    names = ("breast-cancer", "diabetes-progression", "a-model-with-the-longest-name-that-is-allowed-1")
    lines = drawn(*(named(long, name) for name in names), trouble="Prometheus is away " * 10)
    assert len(lines) < view.HEIGHT
    assert max(map(len, lines)) <= view.WIDTH


def test_a_running_rollout_shows_both_sides_and_what_it_waits_for() -> None:
    heading, _, primary, canary, _, waits = words(a_record(decisions=promoted().decisions[:3]))[:6]
    assert heading.startswith("churn v3 → v4 Progressing 10 % ████░")
    assert primary == "primary v3 180 100.0 % 12 ms 95.5 % of 180"
    assert canary == "canary v4 20 100.0 % 14 ms 100.0 % of 20"
    assert waits == "waits for 12 of 20 requests at 10 %"


def test_what_was_not_measured_is_not_shown_as_a_number() -> None:
    nothing = measured(0, p95=None)
    assert "canary v4 0 - - -" in words(a_record(points=(point(10, 10, canary=nothing),)))


def test_almost_all_is_not_said_to_be_all() -> None:
    one_failed = measured(10_000, failed=1)
    assert "99.9 %" in "\n".join(drawn(a_record(points=(point(10, 10, primary=one_failed),))))


def test_the_end_says_why() -> None:
    lines = words(rolled_back())
    assert lines[0].startswith("churn v3 → v4 rolled back 0 %")
    assert "why: wrong: 11 of 21 labelled predictions of v4, 8 of 200 of v3; evidence 64 of 20" in lines


def test_a_promoted_version_is_what_all_users_have() -> None:
    lines = words(promoted())
    assert lines[0].startswith("churn v3 → v4 promoted 100 %")
    assert " ".join(lines[-3:-1]) == (
        "why: the candidate takes over: 540 requests, 0 failed, 540 of 540 labelled predictions right,"
        " evidence 0.8, limit 20"
    )


def test_without_a_terminal_each_change_is_a_line() -> None:
    same = a_record()
    more = a_record(points=(*same.points, point(20, 10)))
    lines = watched([{}, {"churn": same}, {"churn": more}, {"churn": rolled_back()}])
    assert lines == [
        "churn: waits for Flagger to see the change",
        "churn: v3 → v4; Progressing, 10 %; primary 180 requests, 100.0 %, 12 ms, 95.5 % of 180;"
        " canary 20 requests, 100.0 %, 14 ms, 100.0 % of 20; evidence 0.8 of 20;"
        " waits for Flagger's next look, every 10 s",
        "churn: v4 rolled back: wrong: 11 of 21 labelled predictions of v4, 8 of 200 of v3; evidence 64 of 20",
    ]


def test_silence_is_broken_by_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "HEARTBEAT", 0.0)
    assert len(watched([{"churn": a_record()}] * 3 + [{"churn": promoted()}])) == 4


def test_what_has_ended_is_said_once() -> None:
    looks: Looks = [{"churn": promoted(), "fraud": a_record()}] * 2
    looks.append({"churn": promoted(), "fraud": named(rolled_back(), "fraud")})
    lines = watched(looks, "churn", "fraud")
    assert [line.partition(":")[0] for line in lines] == ["churn", "fraud", "fraud"]


def test_a_source_that_is_away_for_a_while_ends_nothing() -> None:
    away = SlipwayError("Prometheus http://x: cannot be reached", ExitCode.UNREACHABLE)
    lines = watched([{"churn": a_record()}, away, {"churn": promoted()}])
    assert len(lines) == 3
    assert lines[1].endswith("(cannot be seen now: Prometheus http://x: cannot be reached)")
    assert lines[2].startswith("churn: v4 promoted")


def test_what_was_measured_at_the_very_end_is_returned() -> None:
    early = rolled_back().model_copy(update={"points": rolled_back().points[:2]})
    found = iter([{"churn": early}, {"churn": rolled_back()}])
    last = view.watch(lambda: next(found), ["churn"], limit=60, out=io.StringIO(), sleep=lambda _: None)
    assert last == {"churn": rolled_back()}


def test_a_rollout_without_an_end_is_an_error() -> None:
    with pytest.raises(SlipwayError, match="churn: the rollout has not ended within -1 s"):
        watched([{"churn": a_record()}], limit=-1)
