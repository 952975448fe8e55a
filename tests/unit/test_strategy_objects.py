"""What the judge makes of each strategy's Canary, as it is compiled, at the moments when Flagger asks to promote."""

from __future__ import annotations

from typing import Any

import pytest
from builders import a_plan, a_release, a_spec, an_environment

from slipway.compile import CompiledModel, compile_model
from slipway.judge import run as runs
from slipway.judge.counts import Counts, Servers, Tally
from slipway.judge.decide import Look, confirm_promotion
from slipway.objects import Object
from slipway.rollout.plan import ModelPlan
from slipway.rollout.policy import Policy
from slipway.rollout.state import states

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
    objects.append({"kind": "HTTPRoute", "metadata": {"name": "churn"}, "spec": {"rules": [{"backendRefs": backends}]}})
    run = runs.of("models", states(["churn"], objects)["churn"])
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
        pytest.param(SHADOW, 0, 2, 1000, False, "a shadow, users never get it", id="shadow, all iterations done"),
        pytest.param(SHADOW, 0, 1, 0, False, "a shadow, users never get it", id="shadow, not asked"),
    ],
)
def test_a_candidate_is_promoted_as_its_strategy_says(
    rollout: dict[str, Any], weight: int, iterations: int, asked: int, yes: bool, reason: str
) -> None:
    answer = confirm_promotion(a_look(rollout, weight, iterations, asked))
    assert reason in answer.reason
    assert answer.yes is yes


GATEWAY = {"name": "models", "namespace": "gateway", "host_suffix": "models.example.com"}


def compiled(mirrors: str, *, strategy: str = "shadow", everywhere: str = "canary", plan: Any = None) -> CompiledModel:
    spec = a_spec(rollout={"requests_per_second": 20, "strategy": strategy})
    settings = {"strategy": everywhere, "steps": [100], "interval_seconds": 10, "threshold": 2}
    gateway = {**GATEWAY, "mirrors": mirrors}
    environment = an_environment(judge_url="http://judge:9091", gateway=gateway, rollout=settings)
    return compile_model(spec, plan or a_plan(V7, V8), environment)


def test_by_gateway_api_flagger_copies_requests() -> None:
    model = compiled("gateway-api")
    assert model.canary["spec"]["analysis"]["mirror"] is True
    assert model.copies == ()


def test_by_traefik_a_router_in_front_of_flaggers_copies_requests_and_answers_as_the_primary() -> None:
    model = compiled("traefik")
    # Traefik would refuse a route with Flagger's filter: users would have none.
    assert "mirror" not in model.canary["spec"]["analysis"]
    service, router = model.copies
    assert [each["kind"] for each in model.copies] == ["TraefikService", "IngressRoute"]
    for each in model.copies:
        assert each["apiVersion"] == "traefik.io/v1alpha1"
        assert each["metadata"] == {
            "name": "churn-v8-shadow",
            "namespace": "models",
            "labels": {"slipway.dev/model": "churn"},
        }
    assert service["spec"] == {
        "mirroring": {
            "name": "churn-primary",
            "port": 80,
            "mirrors": [{"name": "churn-canary", "port": 80, "percent": 100}],
        }
    }
    (rule,) = router["spec"]["routes"]
    assert rule["match"] == "Host(`churn.models.example.com`)"
    assert rule["services"] == [{"kind": "TraefikService", "name": "churn-v8-shadow"}]
    # An exact path is the most that Traefik's provider for Gateway API gives: 100 000.
    assert rule["priority"] > 100_000 + 1000 + 10_000


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"plan": a_plan(V7)}, id="nothing to try"),
        pytest.param({"plan": a_plan(V7, live=None)}, id="the first deployment"),
        pytest.param({"plan": a_plan(V7, V8, live=V8)}, id="users have it already"),
        pytest.param({"plan": ModelPlan(V7, V8, V7, live=V7)}, id="held back"),
        pytest.param({"strategy": "canary"}, id="another strategy"),
        pytest.param({"everywhere": "immediate"}, id="an environment that tries nothing out"),
    ],
)
def test_requests_are_copied_only_while_a_shadow_is_tried(changes: dict[str, Any]) -> None:
    """The canary Service selects what users have at any other time: it would be asked everything twice."""
    assert compiled("traefik", **changes).copies == ()


def test_the_next_shadow_has_a_router_of_its_own() -> None:
    """The judge deletes that of one which has failed: Pulumi would take the same name for unchanged."""
    first, second = (compiled("traefik", plan=a_plan(V7, each)).copies for each in (V8, a_release(version=9)))
    assert {each["metadata"]["name"] for each in first} == {"churn-v8-shadow"}
    assert {each["metadata"]["name"] for each in second} == {"churn-v9-shadow"}


def policy(made: Object) -> Policy:
    return Policy.parse(made["spec"]["analysis"]["webhooks"][0]["metadata"]["policy"])


def test_the_judge_learns_from_the_canary_that_users_never_get_it() -> None:
    assert policy(compiled("traefik").canary).shadow
    assert policy(compiled("gateway-api").canary).shadow
    assert not policy(compiled("traefik", strategy="blue-green").canary).shadow
    assert not policy(compiled("traefik", everywhere="immediate").canary).shadow
