"""What must hold of every object that Flagger or KServe reads, whatever the strategy.

The numbers are those of the list of invariants of a rollout that each test of this project's rollouts names.
"""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest
from builders import a_plan, a_release, a_spec, an_environment

from slipway import names
from slipway.compile import CompiledModel, compile_model, compile_shared, refusals
from slipway.settings.environment import Environment

V7, V8 = a_release(version=7), a_release(version=8)
STRATEGIES: dict[str, dict[str, Any]] = {
    "canary": {"steps": [1, 100]},
    "blue-green": {},
    "ab": {"audience": {"header": "x-beta", "value": "yes"}},
    "shadow": {},
    "immediate": {},
}
JUDGES = {"with a judge": "http://judge:9091", "without": ""}
CASES = [
    pytest.param(strategy, judge, id=f"{strategy} {told}")
    for strategy, (told, judge) in product(STRATEGIES, JUDGES.items())
    if judge or strategy in ("canary", "immediate")
]


def compiled(strategy: str, judge: str) -> tuple[CompiledModel, Environment]:
    """Compile a model in mid-rollout that nothing speaks against."""
    gateway = {"name": "models", "namespace": "gateway", "host_suffix": "models.example.com", "mirrors": "traefik"}
    environment = an_environment(judge_url=judge, gateway=gateway)
    rollout = {"strategy": strategy, "requests_per_second": 100, **STRATEGIES[strategy]}
    spec, plan = a_spec(rollout=rollout), a_plan(V7, V8)
    assert refusals({"churn": spec}, {"churn": plan}, environment) == []
    return compile_model(spec, plan, environment), environment


@pytest.mark.parametrize(("strategy", "judge"), CASES)
def test_invariant_10_an_analysis_is_one_that_flagger_can_finish(strategy: str, judge: str) -> None:
    model, environment = compiled(strategy, judge)
    spec = model.canary["spec"]
    analysis, service = spec["analysis"], spec["service"]
    assert len({"iterations", "stepWeight", "stepWeights"} & set(analysis)) == 1
    assert "mirror" not in analysis or "iterations" in analysis
    assert service["hosts"]
    assert "name" not in service
    seconds = {check["name"]: int(check["interval"][:-1]) for check in analysis["metrics"]}
    assert all(one <= int(analysis["interval"][:-1]) for one in seconds.values())
    # A variable that is missing, or a template, is an error at each check: the rollout would fail without a reason.
    templates = {one["metadata"]["name"]: one["spec"]["query"] for one in compile_shared(environment)}
    for check in analysis["metrics"]:
        asked = re.findall(r"\{\{ variables\.(\w+) \}\}", templates[check["templateRef"]["name"]])
        assert set(asked) == set(check.get("templateVariables", ()))


@pytest.mark.parametrize(("strategy", "judge"), CASES)
def test_invariant_10_no_object_is_taken_for_one_of_kserves(strategy: str, judge: str) -> None:
    model, _ = compiled(strategy, judge)
    services = [service["metadata"]["name"] for service in model.inference_services]
    kserves = {name for service in services for name in (service, names.predictor(service))}
    for found in (*model.inference_services, model.target, model.primary, model.canary_service, model.canary):
        labels = found["metadata"]["labels"]
        assert not {"serving.kserve.io/inferenceservice", "component"} <= set(labels)
        assert found["kind"] == "InferenceService" or found["metadata"]["name"] not in kserves
    assert all(len(service) <= names.MAX_INFERENCE_SERVICE for service in services)


@pytest.mark.parametrize(("strategy", "judge"), CASES)
def test_invariant_12_every_version_behind_a_host_answers_to_one_name(strategy: str, judge: str) -> None:
    model, _ = compiled(strategy, judge)
    said = [
        {one["name"]: one["value"] for one in service["spec"]["predictor"]["model"]["env"]}
        for service in model.inference_services
    ]
    assert [one["MLSERVER_MODEL_NAME"] for one in said] == ["churn", "churn"]
    # Yet each says which one it is.
    assert [one["MLSERVER_MODEL_VERSION"] for one in said] == ["7", "8"]


def test_invariant_12_nothing_that_reaches_a_pod_depends_on_how_its_rollout_goes() -> None:
    """KServe copies labels with annotations into the pod template: what changes there restarts production pods."""
    everywhere = [
        service
        for strategy, judge in (case.values for case in CASES)
        for service in compiled(str(strategy), str(judge))[0].inference_services
        if service["metadata"]["name"] == "churn-v7"
    ]
    assert len(everywhere) == len(CASES)
    assert all(one == everywhere[0] for one in everywhere)
