"""What a worse candidate costs is played with the judge's own code, the same every time."""

from __future__ import annotations

from unittest.mock import patch

from test_rehearse_predict import POLICY, a_canary, predicted

from slipway.planning.timeline import Timeline
from slipway.rehearse import exposure
from slipway.rehearse.exposure import Exposure, exposures
from slipway.rollout.policy import Policy


def errors(rate: float, *factors: float, judged: bool = True, **canary: object) -> dict[float, Exposure]:
    policy = POLICY if judged else None
    timeline = predicted(a_canary(policy=policy, **canary), rate)  # type: ignore[arg-type]
    return {each.factor: each for each in a_few(timeline, POLICY, *factors) if each.signal == "errors"}


def a_few(timeline: Timeline, policy: Policy, *factors: float) -> tuple[Exposure, ...]:
    """Play fewer rollouts than a table has, of other factors."""
    with patch.multiple(exposure, FACTORS=factors, PLAYED=40):
        return exposures(timeline, policy)


def test_the_worse_the_candidate_the_fewer_users_it_reaches() -> None:
    found = errors(100, 1, 4, 10)
    assert found[1].found_percent <= 5
    assert found[1].middle is None
    assert found[4].middle is not None
    assert found[10].middle is not None
    assert (found[4].found_percent, found[10].found_percent) == (100, 100)
    assert found[10].middle.requests < found[4].middle.requests


def test_equal_plans_have_equal_tables() -> None:
    assert errors(20, 4) == errors(20, 4)


def test_a_candidate_that_answers_nothing_rightly_is_taken_back_at_the_first_look() -> None:
    middle = errors(10, 200)[200].middle
    assert middle is not None
    # Noticed 30 s after `up`, first weight a look later, first look with requests another one later.
    assert (middle.weight, middle.seconds) == (10, 150)
    assert middle.requests == middle.bad


def test_a_shadow_is_found_out_without_any_user_seeing_it() -> None:
    policy = POLICY.model_copy(update={"shadow": True})
    timeline = predicted(a_canary(policy=policy, iterations=5))
    middle = next(each for each in a_few(timeline, policy, 10) if each.signal == "errors").middle
    assert middle is not None
    assert (middle.requests, middle.bad) == (0, 0)


def test_plain_thresholds_take_sound_candidates_back() -> None:
    assert errors(10, 1)[1].found_percent <= 5
    assert errors(10, 1, judged=False, steps=tuple(range(10, 101, 10)))[1].found_percent > 50


def test_plain_thresholds_need_one_look_more_than_failed_checks() -> None:
    middle = errors(10, 200, judged=False)[200].middle
    assert middle is not None
    # Three failed checks, then the look that counts them.
    assert (middle.weight, middle.seconds) == (10, 90 + 4 * 60)


def test_nothing_is_played_where_nothing_is_analysed() -> None:
    canary = a_canary()
    canary["spec"]["skipAnalysis"] = True
    assert exposures(predicted(canary), POLICY) == ()
