"""What the judge's evidence promises, by enumeration, properties, canaries."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.judge.evidence import Signal, Window
from slipway.judge.evidence import verdict as weigh
from slipway.rollout.policy import LIMIT
from tests.bench import canaries

few = settings(max_examples=25)
shares = st.floats(0, 0.5)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    canary, primary = draw(st.integers(0, 50)), draw(st.integers(0, 50))
    return Window(canary, draw(st.integers(0, canary)), primary, draw(st.integers(0, primary)))


def errors(*given_windows: Window, allowed: float = 0.01) -> Signal:
    return Signal("errors", given_windows, allowed)


def e_value(*given_windows: Window, allowed: float = 0.01) -> float:
    return weigh([errors(*given_windows, allowed=allowed)]).e_value


def chance(bad: int, of: int, share: float) -> float:
    return math.comb(of, bad) * share**bad * (1 - share) ** (of - bad)


def outcomes(canary: int, primary: int, share: float) -> Iterator[tuple[Window, float]]:
    """All that can be counted in an interval in which both sides are equally bad, with its probability."""
    for ours, theirs in product(range(canary + 1), range(primary + 1)):
        yield Window(canary, ours, primary, theirs), chance(ours, canary, share) * chance(theirs, primary, share)


# An e-value is expected to be at most 1 as long as the candidate is innocent: exactly, over all that can happen.


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("primary", [0, 1, 12])
def test_an_innocent_candidate_is_expected_to_have_evidence_of_at_most_one(share: float, primary: int) -> None:
    for allowed in (share, 0.999):
        expected = sum(e_value(window, allowed=allowed) * odds for window, odds in outcomes(5, primary, share))
        assert expected <= 1 + 1e-9


def test_the_objective_alone_uses_all_that_it_may() -> None:
    expected = sum(e_value(window, allowed=0.1) * odds for window, odds in outcomes(9, 0, 0.1))
    assert expected == pytest.approx(1)


@pytest.mark.parametrize("stop_at", [1.0, 1.2, 2.0])
def test_looking_again_and_stopping_at_the_worst_moment_wins_nothing(stop_at: float) -> None:
    share, expected, reached = 0.2, 0.0, 0.0
    for first, odds in outcomes(3, 5, share):
        early = e_value(first, allowed=share)
        if early >= stop_at:
            expected, reached = expected + odds * early, reached + odds
            continue
        for second, further in outcomes(4, 4, share):
            late = e_value(first, second, allowed=share)
            expected += odds * further * late
            reached += odds * further * (late >= stop_at)
    assert expected <= 1 + 1e-9
    assert reached <= 1 / stop_at


@few
@given(window=windows(), allowed=shares)
def test_signals_that_always_fail_together_weigh_no_more_than_one(window: Window, allowed: float) -> None:
    signal = Signal("errors", (window,), allowed)
    assert weigh([signal] * 3).e_value == pytest.approx(weigh([signal]).e_value)


# Directions.


@few
@given(given_windows=st.lists(windows(), min_size=1, max_size=6), allowed=shares, at=st.integers(0, 5))
def test_one_more_failure_of_the_candidate_never_lowers_the_evidence(
    given_windows: list[Window], allowed: float, at: int
) -> None:
    one = given_windows[at % len(given_windows)]
    worse = Window(one.canary, min(one.canary, one.canary_bad + 1), one.primary, one.primary_bad)
    others = [window for window in given_windows if window is not one]
    assert e_value(*others, worse, allowed=allowed) >= e_value(*others, one, allowed=allowed) * (1 - 1e-9)


@few
@given(given_windows=st.lists(windows(), min_size=1, max_size=6), allowed=shares, at=st.integers(0, 5))
def test_one_more_failure_of_the_primary_never_raises_the_evidence(
    given_windows: list[Window], allowed: float, at: int
) -> None:
    one = given_windows[at % len(given_windows)]
    worse = Window(one.canary, one.canary_bad, one.primary, min(one.primary, one.primary_bad + 1))
    others = [window for window in given_windows if window is not one]
    assert e_value(*others, worse, allowed=allowed) <= e_value(*others, one, allowed=allowed) * (1 + 1e-9)


@few
@given(window=windows(), allowed=shares, more=st.integers(1, 100))
def test_good_answers_of_the_candidate_never_raise_the_evidence(window: Window, allowed: float, more: int) -> None:
    better = Window(window.canary + more, window.canary_bad, window.primary, window.primary_bad)
    assert window.canary == 0 or e_value(better, allowed=allowed) <= e_value(window, allowed=allowed) * (1 + 1e-9)


@few
@given(given_windows=st.lists(windows(), max_size=4), lower=shares, higher=shares)
def test_a_laxer_objective_never_raises_the_evidence(given_windows: list[Window], lower: float, higher: float) -> None:
    lower, higher = sorted((lower, higher))
    assert e_value(*given_windows, allowed=higher) <= e_value(*given_windows, allowed=lower) * (1 + 1e-9)


@few
@given(given_windows=st.lists(windows(), max_size=6), allowed=shares, data=st.data())
def test_the_order_of_intervals_changes_nothing(
    given_windows: list[Window], allowed: float, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(given_windows))
    assert weigh([errors(*shuffled, allowed=allowed)]) == weigh([errors(*given_windows, allowed=allowed)])


@few
@given(given_windows=st.lists(windows(), max_size=4), primary=st.integers(0, 50))
def test_intervals_that_never_asked_the_candidate_change_nothing(given_windows: list[Window], primary: int) -> None:
    for idle in (Window(0, 0, 0, 0), Window(0, 0, primary, primary)):
        assert e_value(*given_windows, idle) == e_value(*given_windows)


# Cases that on-call meets.


def test_nothing_is_said_before_the_candidate_is_asked() -> None:
    verdict = weigh([errors(Window(0, 0, 100, 3)), Signal("wrong", (), 0.1)])
    assert (verdict.e_value, verdict.broken, verdict.strongest) == (1.0, False, None)
    assert verdict.reason == "the candidate was not asked yet (evidence 1.0, limit 20)"


def test_the_reason_counts_both_sides() -> None:
    verdict = weigh([errors(Window(80, 3, 3200, 1)), Signal("slow p95", (Window(80, 2, 320, 8),), 0.05)])
    counted = "errors: 3 of 80 failed on the candidate, 1 of 3200 on the primary"
    assert verdict.reason == f"{counted} (evidence 13.6, limit 20)"
    assert verdict.strongest is not None
    assert (verdict.strongest.signal, verdict.strongest.against) == ("errors", "primary")


def test_without_a_primary_the_objective_decides() -> None:
    verdict = weigh([errors(), Signal("slow p99", (Window(300, 30, 0, 0),), 0.025)])
    assert verdict.e_value > LIMIT
    assert verdict.reason.startswith("slow p99: 30 of 300 were too slow on the candidate, 2.5 % allowed (evidence ")


def test_a_candidate_as_bad_as_a_primary_that_breaks_the_objective_stays() -> None:
    assert e_value(*[Window(60, 3, 540, 27)] * 20) < 1
    assert e_value(*[Window(60, 3, 540, 2)] * 20) > 1e6


def test_a_few_slow_answers_far_within_the_objective_are_a_cold_start_however_good_the_primary_is() -> None:
    assert weigh([Signal("slow", (Window(1000, 4, 9000, 0),), 0.05)]).e_value < 1
    assert weigh([Signal("slow", (Window(1000, 40, 9000, 0),), 0.05)]).e_value > LIMIT


def test_an_outage_of_both_is_not_held_against_the_candidate_though_it_had_most_requests_then() -> None:
    before, outage = [Window(30, 0, 570, 1)] * 30, Window(300, 45, 300, 45)
    assert e_value(*before, outage) < 1
    assert e_value(Window(1200, 45, 17400, 75)) > LIMIT, "as it would be if only totals were known"


def test_a_fifth_of_failures_is_breakage_whatever_the_primary_does() -> None:
    verdict = weigh([errors(Window(20, 5, 320, 100))])
    assert (verdict.broken, verdict.e_value < 1) == (True, True)
    assert verdict.reason == "errors: 5 of 20 failed on the candidate, more than 20 % (evidence 0.1, limit 20)"


@pytest.mark.parametrize(
    "signal",
    [
        errors(Window(19, 19, 0, 0)),
        errors(Window(20, 4, 0, 0)),
        errors(Window(20, 5, 0, 0), allowed=0.2),
        Signal("slow", (Window(20, 20, 0, 0),), 0.05),
    ],
    ids=["too few", "no more than a fifth", "chance", "not a failure"],
)
def test_breakage_needs_requests_failures_and_more_than_chance(signal: Signal) -> None:
    assert not weigh([signal]).broken


def test_with_nothing_allowed_one_failure_may_be_an_accident_and_three_are_not() -> None:
    assert [e_value(Window(100, bad, 0, 0), allowed=0) >= LIMIT for bad in (0, 1, 3)] == [False, False, True]


def test_millions_of_requests_in_thousands_of_intervals_give_a_number() -> None:
    for bad in (0, 1000, 200_000):
        value = e_value(*[Window(1_000_000, bad, 1_000_000, 1000)] * 2000)
        assert math.isfinite(value)
        assert (value > LIMIT) is (bad == 200_000)


@pytest.mark.parametrize("counts", [(1, 2, 0, 0), (0, 0, 1, 2), (1, -1, 0, 0)])
def test_counts_that_cannot_be_are_refused(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="0 <= bad <= all"):
        Window(*counts)


def test_an_objective_that_allows_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="allowed is 1"):
        Signal("errors", (), 1.0)


# Error rates of whole rollouts with three signals, 400 each with one seed: 5 / 10 / 25 / 50 %, ten looks at each.

PACE = canaries.Pace(per_second=10, looks=10)


def rolled_back(truth: canaries.Truth) -> float:
    traffic = canaries.simulate(np.random.default_rng(1), truth, PACE, 400)
    canaries.check(traffic, rollouts=1)
    return float(canaries.by_judge(traffic).any(axis=1).mean())


@pytest.mark.parametrize(
    "innocent",
    [
        canaries.equal("just within each objective", **canaries.ALLOWED),
        canaries.equal("beyond the objective, as the primary", errors=0.03),
    ],
    ids=lambda truth: truth.name,
)
def test_at_most_one_innocent_candidate_in_twenty_is_rolled_back(innocent: canaries.Truth) -> None:
    assert rolled_back(innocent) <= 0.05


@pytest.mark.parametrize("signal", ["errors", "slow", "wrong"])
def test_a_candidate_four_times_as_bad_is_rolled_back(signal: str) -> None:
    primary = canaries.ALLOWED[signal] / 2
    assert rolled_back(canaries.worse(signal, signal, primary, 4 * primary)) >= 0.98
