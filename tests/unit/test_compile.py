import json
import re
from typing import Any

import pytest
from builders import a_plan, a_release, a_spec, an_environment

from slipway import names
from slipway.compile import CompiledModel, compile_model, compile_shared, metrics, serving_changes
from slipway.compile.flagger import Ceiling, Floor
from slipway.models.spec import AtLeast, AtMost
from slipway.rollout.observed import ObservedService
from slipway.rollout.policy import Policy

V7, V8 = a_release(version=7), a_release(version=8)
IMMEDIATE = {"strategy": "immediate", "steps": [10, 100], "interval_seconds": 10, "threshold": 1}


def compiled(plan: Any = None, spec: Any = None, environment: Any = None) -> CompiledModel:
    return compile_model(spec or a_spec(), plan or a_plan(V7, V8), environment or an_environment())


def objects(model: CompiledModel) -> list[dict[str, Any]]:
    return [*model.inference_services, model.target, model.primary, model.canary_service, model.canary]


def test_the_same_inputs_give_the_same_bytes() -> None:
    assert json.dumps(objects(compiled())) == json.dumps(objects(compiled()))
    assert json.dumps(compile_shared(an_environment())) == json.dumps(compile_shared(an_environment()))


def ports(made: dict[str, Any]) -> dict[str, int]:
    return {port["name"]: port["targetPort"] for port in made["spec"]["ports"]}


OBSERVED = an_environment(payloads_url="http://slipway-observe.slipway:9092")


def test_what_a_model_is_asked_goes_to_observe_through_an_agent_in_front_of_the_server() -> None:
    made = compiled(environment=OBSERVED)
    for service in made.inference_services:
        assert service["spec"]["predictor"]["logger"] == {
            "mode": "all",
            "url": "http://slipway-observe.slipway:9092/v1/payloads",
        }
    assert ports(made.target) == ports(made.primary) == {"http": 9081, "metrics": 8082}


def test_a_version_that_was_created_without_an_agent_is_asked_without_one() -> None:
    made = compiled(a_plan(V7, V8, agents={7: False}), environment=OBSERVED)
    assert (ports(made.primary)["http"], ports(made.target)["http"]) == (8080, 9081)


def test_a_version_that_has_an_agent_keeps_it_when_payloads_are_sent_no_more() -> None:
    made = compiled(a_plan(V7, V8, agents={7: True}), environment=an_environment())
    assert (ports(made.primary)["http"], ports(made.target)["http"]) == (9081, 8080)


def test_an_inference_service_serves_one_release_under_the_models_own_name() -> None:
    service = compiled(
        spec=a_spec(serving={"cpu": "2", "memory": "4Gi", "gpus": 1, "env": {"A": "1", "Z": "2"}})
    ).inference_services[1]
    assert service["metadata"]["name"] == "churn-v8"
    assert service["metadata"]["labels"] == {
        "networking.kserve.io/visibility": "cluster-local",
        "slipway.dev/model": "churn",
    }
    digest = service["metadata"]["annotations"].pop("slipway.dev/serving-digest")
    assert re.fullmatch("sha256:[0-9a-f]{64}", digest)
    assert service["metadata"]["annotations"] == {
        "serving.kserve.io/deploymentMode": "Standard",
        "pulumi.com/waitFor": "condition=Ready",
        "slipway.dev/release": V8.id,
        "slipway.dev/model-digest": V8.artifact.digest,
        "slipway.dev/dataset-hash": V8.dataset.digest,
        "slipway.dev/git-commit": V8.git_commit,
        "slipway.dev/training-run-id": V8.registry.run_id,
    }
    amounts = {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1"}
    assert service["spec"]["predictor"] == {
        "serviceAccountName": "models",
        "minReplicas": 1,
        "maxReplicas": 1,
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "model": {
            "modelFormat": {"name": "mlflow"},
            "protocolVersion": "v2",
            "runtime": "kserve-mlserver",
            "storageUri": "s3://mlflow/churn/8/artifacts",
            "env": [
                {"name": "A", "value": "1"},
                {"name": "MLSERVER_MODEL_NAME", "value": "churn"},
                {"name": "MLSERVER_MODEL_VERSION", "value": "8"},
                {"name": "Z", "value": "2"},
            ],
            "ports": [
                {"name": "http", "containerPort": 8080, "protocol": "TCP"},
                {"name": "metrics", "containerPort": 8082, "protocol": "TCP"},
            ],
            "resources": {"requests": amounts, "limits": amounts},
        },
    }


def test_a_rollout_declares_both_releases_with_the_target_on_the_candidate() -> None:
    model = compiled()
    assert [service["metadata"]["name"] for service in model.inference_services] == ["churn-v7", "churn-v8"]
    assert model.target["spec"]["selector"] == {"app": "isvc.churn-v8-predictor"}
    assert model.canary_service["spec"]["selector"] == {"app": "isvc.churn-v8-predictor"}
    assert model.primary["spec"]["selector"] == {"app": "isvc.churn-v7-predictor"}


def test_the_primary_is_declared_with_what_users_get_even_when_that_is_the_candidate() -> None:
    assert compiled(a_plan(V7, V8, live=V8)).primary["spec"]["selector"] == {"app": "isvc.churn-v8-predictor"}


def test_the_first_deployment_has_all_three_services_on_the_stable_release() -> None:
    model = compiled(a_plan(V7, live=None))
    for service in (model.target, model.primary, model.canary_service):
        assert service["spec"]["selector"] == {"app": "isvc.churn-v7-predictor"}


def test_the_three_services_differ_in_name_with_selector_only() -> None:
    services = []
    for service in (compiled().target, compiled().primary, compiled().canary_service):
        service["metadata"].pop("name")
        service["spec"].pop("selector")
        services.append(service)
    assert services[0] == services[1] == services[2]
    # Headless: Flagger can keep no other pair (its PUT carries clusterIP without clusterIPs).
    assert services[0]["spec"]["clusterIP"] == "None"


def test_a_canary_steps_through_the_environments_percentages() -> None:
    canary = compiled().canary["spec"]
    assert canary["provider"] == "gatewayapi:v1"
    assert canary["targetRef"] == {"apiVersion": "v1", "kind": "Service", "name": "churn"}
    assert canary["service"] == {
        "port": 80,
        "hosts": ["churn.models.example.com"],
        "gatewayRefs": [{"name": "models", "namespace": "gateway-system"}],
        "timeout": "60s",
    }
    assert {key: canary["analysis"][key] for key in ("interval", "threshold", "stepWeights")} == {
        "interval": "60s",
        "threshold": 3,
        "stepWeights": [10, 25, 50, 100],
    }
    assert "skipAnalysis" not in canary


def test_a_spec_with_steps_of_its_own_overrides_the_environments() -> None:
    spec = a_spec(rollout={"requests_per_second": 20, "steps": [2, 100]})
    assert compiled(spec=spec).canary["spec"]["analysis"]["stepWeights"] == [2, 100]


def test_an_immediate_environment_skips_the_analysis_whatever_the_spec_says() -> None:
    spec = a_spec(rollout={"requests_per_second": 20, "steps": [2, 100]})
    canary = compiled(spec=spec, environment=an_environment(rollout=IMMEDIATE)).canary["spec"]
    assert canary["skipAnalysis"] is True
    assert canary["analysis"] == {"interval": "10s", "threshold": 1, "stepWeights": [100], "metrics": []}


def test_every_check_is_an_objective_with_its_bad_side() -> None:
    spec = a_spec(
        objectives={
            "success_rate_percent": {"at_least": 99.5},
            "latency_p95_ms": {"at_most": 250},
            "latency_p99_ms": {"at_most": 400.5},
        }
    )
    checks = compiled(spec=spec).canary["spec"]["analysis"]["metrics"]
    assert {check["name"]: check["thresholdRange"] for check in checks} == {
        "requests": {"min": 20},
        "success-rate": {"min": 99.5},
        "latency-p95": {"max": 250},
        "latency-p99": {"max": 400.5},
    }
    # 250, not 250.0: what the API server gives back.
    assert json.dumps(checks[2]["thresholdRange"]) == '{"max": 250}'
    # A window longer than a tick would hold pods from before the step.
    assert {check["interval"] for check in checks} == {"60s"}


def test_a_check_that_has_no_objective_is_left_out() -> None:
    names_of_checks = [check["name"] for check in compiled().canary["spec"]["analysis"]["metrics"]]
    assert names_of_checks == ["requests", "success-rate", "latency-p95"]


def test_every_check_names_a_template_of_its_own_namespace() -> None:
    templates = {template["metadata"]["name"] for template in compile_shared(an_environment())}
    used = {check["templateRef"]["name"] for check in compiled().canary["spec"]["analysis"]["metrics"]}
    assert used <= templates
    assert {template["metadata"]["namespace"] for template in compile_shared(an_environment())} == {"models"}


@pytest.mark.parametrize(
    "template", compile_shared(an_environment()), ids=lambda template: template["metadata"]["name"]
)
def test_every_query_aggregates_all_series_into_one(template: dict[str, Any]) -> None:
    query = template["spec"]["query"]
    selectors = re.findall(r"(sum(?: by \(le\))? ?\((?:rate|increase)\()?\w+\{[^}]*\{\{", query)
    assert selectors
    assert all(selectors)
    assert query.count("sum by (le)") == query.count("histogram_quantile")


@pytest.mark.parametrize(
    "template", compile_shared(an_environment()), ids=lambda template: template["metadata"]["name"]
)
def test_every_query_asks_about_its_own_target(template: dict[str, Any]) -> None:
    query, known = template["spec"]["query"], {"namespace", "target", "interval"}
    assert set(re.findall(r"\{\{ (\S+) \}\}", query)) == known
    canary, primary = (query.count(f'service="{{{{ target }}}}-{side}"') for side in ("canary", "primary"))
    assert canary + primary == query.count("rest_server_")
    assert primary == (canary if template["metadata"]["name"].endswith("-gap") else 0)
    assert template["spec"]["provider"] == {"type": "prometheus", "address": "http://prometheus.monitoring:9090"}


def test_no_requests_count_as_zero_while_a_rate_of_nothing_is_nothing() -> None:
    # `or vector(0)` in a denominator or around a quantile would turn "no data" into a value that passes.
    assert metrics.REQUESTS.query.endswith("or vector(0)")
    assert "vector" not in metrics.SUCCESS_RATE.query.partition(" / ")[2]
    assert "vector" not in metrics.LATENCY_P95.query + metrics.LATENCY_P99.query


JUDGED = {"judge_url": "http://judge.slipway:9091"}


def test_a_judge_is_asked_wherever_flagger_asks_anybody() -> None:
    analysis = compiled(environment=an_environment(**JUDGED)).canary["spec"]["analysis"]
    policy = analysis["metrics"][0]["templateVariables"]["policy"]
    assert analysis["metrics"] == [
        {
            "name": "evidence",
            "interval": "60s",
            "templateRef": {"name": "judge-evidence"},
            "templateVariables": {"policy": policy},
            "thresholdRange": {"max": 20},
        }
    ]
    types = ["confirm-rollout", "confirm-traffic-increase", "confirm-promotion", "rollback", "event"]
    assert analysis["webhooks"] == [
        {
            "name": type,
            "type": type,
            "url": f"http://judge.slipway:9091/{type}",
            "muteAlert": True,
            "metadata": {"policy": policy},
        }
        for type in types
    ]


def test_the_judge_reads_everything_that_a_model_asks_for() -> None:
    spec = a_spec(
        objectives={
            "success_rate_percent": {"at_least": 99.5},
            "latency_p95_ms": {"at_most": 250},
            "latency_p99_ms": {"at_most": 400},
            "correct_percent": {"at_least": 90},
        },
        rollout={
            "requests_per_second": 20,
            "min_requests_per_step": 30,
            "min_labels": 50,
            "pauses": {25: 600, 10: 60},
        },
    )
    analysis = compiled(spec=spec, environment=an_environment(**JUDGED)).canary["spec"]["analysis"]
    assert Policy.parse(analysis["webhooks"][0]["metadata"]["policy"]) == Policy(
        success_rate_percent=99.5,
        latency_p95_ms=250,
        latency_p99_ms=400,
        correct_percent=90,
        min_requests=30,
        min_labels=50,
        pauses={"10": 60, "25": 600},
    )


def test_the_judges_template_becomes_one_request_once_flagger_has_filled_it_in() -> None:
    environment = an_environment(**JUDGED)
    (template,) = [t for t in compile_shared(environment) if t["metadata"]["name"] == "judge-evidence"]
    assert template["spec"]["provider"] == {"type": "prometheus", "address": "http://judge.slipway:9091"}
    (check,) = compiled(environment=environment).canary["spec"]["analysis"]["metrics"]
    filled, known = template["spec"]["query"], {"namespace": "models", "target": "churn"}
    variables = {f"variables.{name}": value for name, value in check["templateVariables"].items()}
    for name, value in {**known, **variables}.items():
        filled = filled.replace(f"{{{{ {name} }}}}", value)
    policy = json.loads(check["templateVariables"]["policy"])
    assert json.loads(filled) == {"namespace": "models", "model": "churn", "policy": policy}
    # Flagger makes one blank of several (pkg/metrics/providers/prometheus.go, trimQuery).
    assert " " not in check["templateVariables"]["policy"]


def test_an_environment_without_a_judge_asks_none() -> None:
    assert "webhooks" not in compiled().canary["spec"]["analysis"]
    assert "judge-evidence" not in {template["metadata"]["name"] for template in compile_shared(an_environment())}


def test_an_immediate_rollout_is_not_judged() -> None:
    """Only told: with a gate, a judge that is down would keep the fix for it from being rolled out."""
    chosen = compiled(spec=a_spec(rollout=moving("immediate")), environment=an_environment(**JUDGED))
    for model in (chosen, compiled(environment=an_environment(rollout=IMMEDIATE, **JUDGED))):
        assert model.canary["spec"]["skipAnalysis"] is True
        analysis = model.canary["spec"]["analysis"]
        assert (analysis["metrics"], analysis["stepWeights"]) == ([], [100])
        assert [hook["type"] for hook in analysis["webhooks"]] == ["event"]


def moving(strategy: str, **changes: Any) -> dict[str, Any]:
    return {"strategy": strategy, "requests_per_second": 20, **changes}


BETA = {"header": "X-Beta", "value": "yes"}


def analysis_of(strategy: str, **changes: Any) -> dict[str, Any]:
    canary = compiled(spec=a_spec(rollout=moving(strategy, **changes)), environment=an_environment(**JUDGED)).canary
    assert "skipAnalysis" not in canary["spec"]
    return canary["spec"]["analysis"]


@pytest.mark.parametrize(
    ("strategy", "changes", "own"),
    [
        ("canary", {"steps": [5, 100]}, {"stepWeights": [5, 100]}),
        ("blue-green", {}, {"iterations": 1}),
        ("shadow", {}, {"iterations": 1}),
        (
            "ab",
            {"audience": BETA},
            {"iterations": 1, "match": [{"headers": {"x-beta": {"exact": "yes"}}}]},
        ),
    ],
)
def test_a_strategy_is_what_its_analysis_says_beside_the_same_evidence(
    strategy: str, changes: dict[str, Any], own: dict[str, Any]
) -> None:
    analysis = analysis_of(strategy, **changes)
    shared = {"interval", "threshold", "metrics", "webhooks"}
    assert {key: value for key, value in analysis.items() if key not in shared} == own
    assert [check["name"] for check in analysis["metrics"]] == ["evidence"]


@pytest.mark.parametrize("strategy", ["blue-green", "shadow", "ab"])
def test_a_strategy_without_weights_asks_nobody_for_more_weight(strategy: str) -> None:
    """Flagger calls that hook between step weights only (pkg/controller/scheduler.go, advanceCanary)."""
    analysis = analysis_of(strategy, **({"audience": BETA} if strategy == "ab" else {}))
    hooks = [hook["type"] for hook in analysis["webhooks"]]
    assert hooks == ["confirm-rollout", "confirm-promotion", "rollback", "event"]


@pytest.mark.parametrize(
    ("cookies", "inside"),
    [
        ("beta=yes", True),
        ("a=b; beta=yes", True),
        ("a=b;beta=yes; c=d", True),
        ("alphabeta=yes", False),
        ("beta=yes2", False),
        ("a=beta=yes", False),
        ("", False),
    ],
)
def test_a_cookie_is_found_among_others_as_a_whole(cookies: str, inside: bool) -> None:
    match = analysis_of("ab", audience={"cookie": "beta", "value": "yes"})["match"]
    assert (re.search(match[0]["headers"]["cookie"]["regex"], cookies) is not None) is inside


def test_an_environment_that_tries_nothing_out_does_so_for_every_strategy() -> None:
    spec = a_spec(rollout=moving("ab", audience=BETA))
    analysis = compiled(spec=spec, environment=an_environment(rollout=IMMEDIATE, **JUDGED)).canary["spec"]["analysis"]
    assert "match" not in analysis
    assert analysis["stepWeights"] == [100]


def test_a_floor_becomes_a_minimum_with_a_ceiling_a_maximum() -> None:
    floor, ceiling = AtLeast(at_least=1), AtMost(at_most=2)
    assert metrics.SUCCESS_RATE.check(floor, "10s").threshold_range == Floor(min=1)
    assert metrics.LATENCY_P95.check(ceiling, "10s").threshold_range == Ceiling(max=2)


def test_an_inference_service_never_changes_with_the_plan_around_it() -> None:
    alone = compiled(a_plan(V7)).inference_services[0]
    assert compiled(a_plan(V7, V8)).inference_services[0] == alone
    assert compiled(a_plan(V7, V8, live=V8, weight=50, notices=("a notice",))).inference_services[0] == alone


def test_a_changed_serving_setting_is_told_for_the_version_that_keeps_the_old_one() -> None:
    before = compiled(a_plan(V7)).inference_services[0]["metadata"]["annotations"][names.SERVING_DIGEST]
    running = {"churn-v7": ObservedService(7, V7.id, True, before)}
    assert serving_changes(compiled().inference_services, running) == ()
    bigger = a_spec(serving={"cpu": "2"})
    assert serving_changes(compiled(spec=bigger).inference_services, running) == (
        "churn-v7: serving settings have changed since it was created; it stays as it is,"
        " and the next version takes them",
    )
