"""A rollout's timeline is what Flagger's own loop makes of the compiled Canary."""

from __future__ import annotations

from typing import Any

import pytest
from builders import a_plan, a_release, a_spec, an_environment
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.compile import compile_model
from slipway.planning.timeline import Timeline, predict
from slipway.rollout.policy import Policy

POLICY = Policy(success_rate_percent=99.5, latency_p95_ms=250, min_requests=60)


def a_canary(
    steps: tuple[int, ...] = (10, 50, 100), policy: Policy | None = POLICY, interval: str = "60s", **analysis: Any
) -> dict[str, Any]:
    metrics = [{"name": "evidence", "templateVariables": {"policy": policy.text()}}] if policy else []
    weights = {} if "iterations" in analysis else {"stepWeights": list(steps)}
    return {
        "metadata": {"name": "churn"},
        "spec": {"analysis": {"interval": interval, "threshold": 3, "metrics": metrics, **weights, **analysis}},
    }


def predicted(canary: dict[str, Any], rate: float = 10) -> Timeline:
    return predict(canary, "prod", rate)


def test_every_step_takes_one_look_where_enough_requests_come() -> None:
    found = predicted(a_canary())
    assert [(step.weight, step.intervals, step.requests, step.held_by) for step in found.steps] == [
        (10, 1, 60, ""),
        (50, 1, 300, ""),
        (100, 1, 600, ""),
    ]
    # Noticed after 30 s in the mean, first weight a look later, three steps, two looks to Succeeded.
    assert (found.first_request_seconds, found.promoted_seconds, found.settled_seconds) == (90, 270, 390)
    assert found.requests == 960


def test_a_step_is_held_until_the_candidate_was_asked_often_enough() -> None:
    step = predicted(a_canary(), rate=4).steps[0]
    # 0.4 a second: the 60th comes after 150 s, which is in the third interval.
    assert (step.intervals, step.seconds, step.requests, step.held_by) == (3, 180, 72, "requests")


def test_a_step_is_held_for_its_own_pause() -> None:
    policy = POLICY.model_copy(update={"pauses": {"50": 600}})
    assert [(step.seconds, step.held_by) for step in predicted(a_canary(policy=policy)).steps] == [
        (60, ""),
        (600, "pause"),
        (60, ""),
    ]


def test_without_a_judge_nothing_holds() -> None:
    spec = a_spec(rollout={"requests_per_second": 4, "min_requests_per_step": 20})
    found = predicted(compile_model(spec, a_plan(a_release()), an_environment()).canary, rate=2)
    assert not found.judged
    assert [(step.intervals, step.min_requests) for step in found.steps] == [(1, 20)] * 4


def test_an_immediate_rollout_is_promoted_by_the_look_that_notices_it() -> None:
    canary = a_canary()
    canary["spec"]["skipAnalysis"] = True
    found = predicted(canary)
    assert (found.strategy, found.steps, found.promoted_seconds, found.settled_seconds) == ("immediate", (), 30, 30)


@pytest.mark.parametrize(
    ("strategy", "steps"),
    [
        ("blue-green", [(0, False, 60, ""), (100, True, 120, "requests")]),
        ("shadow", [(100, False, 120, "requests")]),
    ],
)
def test_iterations_are_looks_before_users_see_anything(strategy: str, steps: list[tuple[int, bool, int, str]]) -> None:
    spec = a_spec(rollout={"requests_per_second": 1, "min_requests_per_step": 90, "strategy": strategy})
    environment = an_environment(judge_url="http://judge:9091")
    found = predicted(compile_model(spec, a_plan(a_release()), environment).canary, rate=1)
    assert found.strategy == strategy
    assert [(step.weight, step.shown, step.seconds, step.held_by) for step in found.steps] == steps


@settings(max_examples=15)
@given(st.floats(0.01, 500), st.floats(1, 20), st.integers(1, 500), st.sampled_from(["10s", "60s", "300s"]))
def test_more_traffic_never_takes_longer(rate: float, more: float, wanted: int, interval: str) -> None:
    canary = a_canary(policy=POLICY.model_copy(update={"min_requests": wanted}), interval=interval)
    slow, fast = predicted(canary, rate), predicted(canary, rate * more)
    assert fast.promoted_seconds <= slow.promoted_seconds


@settings(max_examples=15)
@given(st.floats(0.5, 500), st.integers(1, 200))
def test_no_step_ends_before_its_requests_are_expected(rate: float, wanted: int) -> None:
    canary = a_canary(policy=POLICY.model_copy(update={"min_requests": wanted}))
    for step in predicted(canary, rate).steps:
        assert step.requests >= wanted - 0.01
        assert step.intervals == 1 or step.requests - step.requests / step.intervals < wanted + 0.01
