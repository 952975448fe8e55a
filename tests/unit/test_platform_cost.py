"""What an environment may cost: its quotas, by what models scale, who pays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import a_plan, a_release, a_spec, an_environment

from slipway.compile import compile_model, refusals
from slipway.errors import SlipwayError
from slipway.models.spec import ModelSpec
from slipway.platform.charts import Charts
from slipway.platform.context import Context
from slipway.platform.cost import compile_cost
from slipway.quantities import cores, size

V7, V8 = a_release(version=7), a_release(version=8)
QUOTA = {"cpu": "8", "memory": "32Gi", "gpus": 2, "pods": 10}


def environment(**cost: Any) -> Any:
    return an_environment(platform={"network": {}, "cost": {"models": QUOTA, "training": QUOTA, **cost}})


def limits(where: Any) -> dict[tuple[str, str], Any]:
    objects = compile_cost(where.platform.cost, Context(where, Charts(Path("no-helm"), Path("no-charts"))))
    return {(each["kind"], each["metadata"]["namespace"]): each["spec"] for each in objects}


def predictor(spec: ModelSpec) -> tuple[dict[str, Any], dict[str, Any]]:
    """The annotations of a compiled candidate, with what it runs."""
    service = compile_model(spec, a_plan(V7, V8), environment(keda=True)).inference_services[1]
    return service["metadata"], service["spec"]["predictor"]


def test_both_namespaces_are_limited_in_what_is_dear() -> None:
    found = limits(environment(training={**QUOTA, "gpus": 4}))
    assert found["ResourceQuota", "models"]["hard"] == {
        "requests.cpu": "8",
        "requests.memory": "32Gi",
        "requests.nvidia.com/gpu": "2",
        "pods": "10",
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }
    assert found["ResourceQuota", "training"]["hard"]["requests.nvidia.com/gpu"] == "4"


def test_a_container_that_reserves_nothing_is_not_refused_for_the_quotas_sake() -> None:
    (container,) = limits(environment())["LimitRange", "models"]["limits"]
    assert set(container["defaultRequest"]) == {"cpu", "memory"}


def test_quotas_without_the_namespaces_are_refused() -> None:
    alone = an_environment(platform={"cost": {"models": QUOTA, "training": QUOTA}})
    with pytest.raises(SlipwayError, match=r"Pulumi\.staging\.yaml: slipway:platform\.cost: .* set slipway:platform\."):
        limits(alone)


@pytest.mark.parametrize(
    ("serving", "line"),
    [
        (
            {"cpu": "3"},
            "cpu: 8: the minimum replicas of all models need 12 with candidates included",
        ),
        ({"memory": "9Gi"}, "memory: 32Gi: the minimum replicas of all models need 36 Gi with candidates included"),
        ({"gpus": 1}, "gpus: 2: the minimum replicas of all models need 4 with candidates included"),
        (
            {"cpu": "10m", "memory": "1Mi", "replicas": {"min": 6, "max": 6}},
            "pods: 10: the minimum replicas of all mod",
        ),
    ],
)
def test_models_that_cannot_fit_into_the_quota_are_refused_before_a_pod_waits_for_room(
    serving: dict[str, Any], line: str
) -> None:
    spec = a_spec(serving={"replicas": {"min": 2, "max": 3}, **serving})
    (said,) = refusals({"churn": spec}, {"churn": a_plan(V7, V8)}, environment())
    assert said.startswith(f"Pulumi.staging.yaml: slipway:platform.cost.models.{line}")


def test_models_that_fit_are_not_refused() -> None:
    spec = a_spec(serving={"cpu": "2", "memory": "8Gi", "gpus": 1, "replicas": {"min": 1, "max": 9}})
    assert refusals({"churn": spec}, {"churn": a_plan(V7, V8)}, environment()) == []


def test_quantities_are_read_as_kubernetes_reads_them() -> None:
    assert (cores("1500m"), cores("2"), size("512Mi"), size("2Gi")) == (1.5, 2, 2**29, 2**31)


def test_a_model_scales_by_what_its_file_says() -> None:
    _, memory = predictor(a_spec(serving={"scaling": {"metric": "memory", "target": 70}}))
    assert (memory["scaleMetric"], memory["scaleTarget"]) == ("memory", 70)
    _, default = predictor(a_spec())
    assert not {"scaleMetric", "scaleTarget", "autoScaling", "tolerations"} & set(default)


def test_scaling_by_requests_asks_prometheus_what_one_release_answers() -> None:
    metadata, wire = predictor(a_spec(serving={"scaling": {"metric": "requests", "target": 50}}))
    assert metadata["annotations"]["serving.kserve.io/autoscalerClass"] == "keda"
    (metric,) = wire["autoScaling"]["metrics"]
    assert metric["external"]["target"] == {"type": "Value", "value": "50"}
    assert metric["external"]["metric"]["serverAddress"] == "http://prometheus.monitoring:9090"
    assert 'inferenceservice="churn-v8"' in metric["external"]["metric"]["query"]


def test_scaling_by_requests_is_refused_where_nobody_does_it() -> None:
    spec = a_spec(serving={"scaling": {"metric": "requests", "target": 50}})
    (said,) = refusals({"churn": spec}, {}, environment())
    assert said == (
        "models/churn.yaml: serving.scaling.metric: requests needs KEDA in the cluster, and Pulumi.staging.yaml:"
        " slipway:platform.cost.keda: says that there is none; scale by 'cpu', or install it"
    )
    assert refusals({"churn": spec}, {}, environment(keda=True)) == []


def test_no_model_scales_to_nothing() -> None:
    with pytest.raises(ValueError, match=r"serving\.replicas\.min\n.*greater than or equal to 1"):
        a_spec(serving={"replicas": {"min": 0, "max": 2}})


def test_pods_say_who_pays_for_them() -> None:
    assert predictor(a_spec(cost_center="growth-42"))[0]["labels"]["slipway.dev/cost-center"] == "growth-42"
    with pytest.raises(ValueError, match="cost_center"):
        a_spec(cost_center="growth & co")
