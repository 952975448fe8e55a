"""What the judge makes of each strategy's Canary, as it is compiled, at the moments when Flagger asks to promote."""

from __future__ import annotations

from typing import Any

import pytest
from builders import a_plan, a_release, a_spec, an_environment

from slipway.compile import compile_model
from slipway.judge import run as runs
from slipway.judge.counts import Counts, Servers, Tally
from slipway.judge.decide import Look, confirm_promotion
from slipway.judge.policy import Policy

V7, V8 = a_release(version=7), a_release(version=8)
BEGAN = "2026-11-21T12:00:00Z"


def a_look(rollout: dict[str, Any], weight: int, iterations: int, asked: int) -> Look:
    """What the judge sees of a rollout from version 7 to 8, a minute after it began."""
    spec = a_spec(rollout={"requests_per_second": 20, "min_requests_per_step": 10, **rollout})
    compiled = compile_model(spec, a_plan(V7, V8), an_environment(judge_url="http://judge:9091"))
    status = {
        "phase": "Progressing",
        "iterations": iterations,
        "lastTransitionTime": BEGAN,
        "conditions": [{"type": "Promoted", "status": "Unknown", "lastTransitionTime": BEGAN}],
    }
    objects = [
        {**compiled.canary, "status": status},
        compiled.target,
        compiled.primary,
        compiled.canary_service,
        *compiled.inference_services,
    ]
    backends = [{"name": "churn-primary", "weight": 100 - weight}, {"name": "churn-canary", "weight": weight}]
    run = runs.of("models", "churn", objects, {"spec": {"rules": [{"backendRefs": backends}]}})
    assert run.started is not None
    now = run.started + 60
    tallies = ((Tally(requests=asked, timed=asked),), (Tally(requests=100, timed=100),))
    counts = Counts((run.started, now), (run.started, now), *tallies, edges={})
    policy = Policy.parse(compiled.canary["spec"]["analysis"]["webhooks"][0]["metadata"]["policy"])
    return Look(run, policy, now, counts, (Servers(1), Servers(1)))


BLUE_GREEN = {"strategy": "blue-green"}
AB = {"strategy": "ab", "audience": {"header": "x-beta", "value": "yes"}}
SHADOW = {"strategy": "shadow"}


@pytest.mark.parametrize(
    ("rollout", "weight", "iterations", "asked", "yes", "reason"),
    [
        pytest.param({}, 100, 0, 9, False, "asked 9 times, 10 needed", id="canary, asked too little"),
        pytest.param({}, 100, 0, 10, True, "may be promoted", id="canary, asked enough"),
        pytest.param(BLUE_GREEN, 0, 1, 0, True, "may have its first traffic", id="blue-green, before the switch"),
        pytest.param(BLUE_GREEN, 100, 2, 9, False, "asked 9 times, 10 needed", id="blue-green, just switched"),
        pytest.param(BLUE_GREEN, 100, 1, 9, False, "asked 9 times, 10 needed", id="blue-green, held after the switch"),
        pytest.param(BLUE_GREEN, 100, 2, 10, True, "may be promoted", id="blue-green, asked enough"),
        pytest.param(AB, 100, 1, 9, False, "asked 9 times, 10 needed", id="ab, asked too little"),
        pytest.param(AB, 100, 1, 10, True, "may be promoted", id="ab, asked enough"),
        pytest.param(SHADOW, 0, 1, 1000, False, "a shadow, users never get it", id="shadow, asked enough"),
        pytest.param(SHADOW, 0, 1, 0, False, "a shadow, users never get it", id="shadow, not asked"),
    ],
)
def test_a_candidate_is_promoted_as_its_strategy_says(
    rollout: dict[str, Any], weight: int, iterations: int, asked: int, yes: bool, reason: str
) -> None:
    answer = confirm_promotion(a_look(rollout, weight, iterations, asked))
    assert reason in answer.reason
    assert answer.yes is yes
