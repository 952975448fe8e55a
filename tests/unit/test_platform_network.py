"""The namespaces of models with those of training: shut, but for what is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from projects import CHECKOUT

from slipway.platform.charts import Charts
from slipway.platform.context import Context
from slipway.platform.isolation import network
from slipway.platform.network import compile_network
from slipway.policy.stages import STAGE_LABEL
from slipway.settings.environment import Environment
from slipway.settings.operating import NetworkSettings
from slipway.settings.stack_file import read_environment


def compiled(stack: str = "prod", **settings: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """Every object, by its kind with its name in full."""
    environment: Environment = read_environment(CHECKOUT, stack)
    context = Context(environment, Charts(Path("no-helm"), Path("no-charts")))
    chosen = NetworkSettings.model_validate(settings) if settings else environment.platform.network
    assert chosen is not None
    return {
        (each["kind"], "/".join(filter(None, (each["metadata"].get("namespace"), each["metadata"]["name"])))): each
        for each in compile_network(chosen, context)
    }


def reached(objects: dict[tuple[str, str], dict[str, Any]], policy: str) -> dict[str, Any]:
    """The one rule of a policy."""
    spec = objects["NetworkPolicy", policy]["spec"]
    assert spec["podSelector"] == {}
    (rule,) = spec.get("ingress") or spec.get("egress")
    return dict(rule)


@pytest.mark.parametrize("namespace", ["models", "training"])
def test_a_namespace_is_shut_in_both_directions_for_every_pod(namespace: str) -> None:
    spec = compiled()["NetworkPolicy", f"{namespace}/default-deny"]["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_models_are_asked_by_the_gateway_and_measured_by_prometheus_only() -> None:
    objects = compiled()
    gateway, metrics = reached(objects, "models/from-gateway"), reached(objects, "models/from-monitoring")
    assert gateway["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway-system"}}}
    ]
    assert [port["port"] for port in gateway["ports"]] == [8080, 9081, 8000]
    assert [port["port"] for port in metrics["ports"]] == [8082, 8000]
    incoming = [name for kind, name in objects if kind == "NetworkPolicy" and name.startswith("models/from-")]
    assert sorted(incoming) == ["models/from-gateway", "models/from-monitoring"]


def test_what_is_outside_can_only_be_reached_where_it_is_named() -> None:
    bucket = {"bucket": {"cidr": "192.0.2.0/24", "ports": (9000,)}}
    objects = compiled(egress=bucket)
    for namespace in ("models", "training"):
        assert reached(objects, f"{namespace}/to-bucket") == {
            "to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
            "ports": [{"port": 9000, "protocol": "TCP"}],
        }
    blocks = [each for each in objects.values() if "ipBlock" in str(each)]
    assert len(blocks) == 2


def test_an_opening_to_everywhere_leaves_out_what_hands_out_the_nodes_credentials() -> None:
    assert network("0.0.0.0/0")["ipBlock"]["except"] == ["169.254.169.254/32"]
    assert "except" not in network("10.0.0.0/16")["ipBlock"]


def test_names_may_be_asked_for_only_where_the_cluster_answers_them() -> None:
    rule = reached(compiled(), "models/to-dns")
    assert rule["to"][0]["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
    assert {(port["port"], port["protocol"]) for port in rule["ports"]} == {(53, "TCP"), (53, "UDP")}


@pytest.mark.parametrize(("stack", "stage"), [("dev", "audit"), ("staging", "enforce"), ("prod", "enforce")])
def test_policies_only_report_in_dev(stack: str, stage: str) -> None:
    labels = compiled(stack)["Namespace", "models"]["metadata"]["labels"]
    assert labels[STAGE_LABEL] == stage
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"


def test_no_pod_of_a_model_holds_a_token_of_the_api_server() -> None:
    account = compiled()["ServiceAccount", "models/model-reader"]
    assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize("cidr", ["10.0.0.0/33", "10.0.0.1/16", "s3.amazonaws.com", "fd00::/8"])
def test_what_is_no_network_is_refused_with_what_was_expected(cidr: str) -> None:
    with pytest.raises(ValueError, match=r"expected an IPv4 network, as '10\.0\.0\.0/16'"):
        NetworkSettings.model_validate({"egress": {"x": {"cidr": cidr}}})
