"""What is read of a cluster."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from builders import an_environment

from slipway.clients.kube import KubeError
from slipway.errors import ExitCode, SlipwayError
from slipway.rollout import cluster
from slipway.rollout.observed import ObservedModel, ObservedService


def service(name: str, version: int, model: str = "churn") -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"selector": {"app": f"isvc.{model}-v{version}-predictor"}}}


def inference_service(name: str, model: str, ready: str = "True") -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "labels": {"slipway.dev/model": model},
            "annotations": {
                "slipway.dev/release": "v8-000000000000",
                "slipway.dev/serving-digest": "sha256:s",
                "slipway.dev/model-digest": "sha256:m",
            },
        },
        "status": {"conditions": [{"type": "PredictorReady", "status": "True"}, {"type": "Ready", "status": ready}]},
    }


def route(model: str, weight: int) -> dict[str, Any]:
    sides = {f"{model}-primary": 100 - weight, f"{model}-canary": weight}
    backends = [{"name": name, "weight": share} for name, share in sides.items()]
    return {"metadata": {"name": model}, "spec": {"rules": [{"backendRefs": backends}]}}


class FakeKube:
    """Answers lists, counting them."""

    def __init__(self, **lists: Any) -> None:
        self.lists, self.asked = lists, 0

    def list(self, api_version: str, kind: str, namespace: str) -> list[dict[str, Any]]:
        self.asked += 1
        found = self.lists.get(kind, [])
        if isinstance(found, Exception):
            raise found
        return [{"apiVersion": api_version, "kind": kind, **item} for item in found]


def test_a_rollout_is_read_from_the_selectors_the_canary_and_the_inference_services():
    kube = FakeKube(
        Service=[service("churn", 8), service("churn-primary", 7), service("churn-canary", 8)],
        Canary=[{"metadata": {"name": "churn"}, "status": {"phase": "WaitingPromotion", "canaryWeight": 0}}],
        HTTPRoute=[route("churn", 25)],
        InferenceService=[inference_service("churn-v8", "churn", ready="Unknown")],
    )
    assert cluster.observe(kube, "models", ["churn"]) == {
        "churn": ObservedModel(
            live_version=7,
            target_version=8,
            phase="WaitingPromotion",
            services={"churn-v8": ObservedService(8, "v8-000000000000", False, "sha256:s", "sha256:m")},
            weight=25,
        )
    }


def test_a_model_that_is_not_there_is_seen_as_nothing():
    assert cluster.observe(FakeKube(), "models", ["churn"]) == {"churn": ObservedModel()}


def test_a_thousand_models_are_read_with_five_lists():
    models = [f"m{number}" for number in range(1000)]
    kube = FakeKube(Service=[service(f"{model}-primary", 1, model) for model in models])
    assert cluster.observe(kube, "models", models)["m999"].live_version == 1
    assert kube.asked == 5


def test_a_service_that_somebody_else_made_under_a_model_s_name_is_refused_by_name():
    kube = FakeKube(Service=[service("churn-primary", 7, "fraud")])
    with pytest.raises(SlipwayError, match=r"Service churn-primary: spec\.selector"):
        cluster.observe(kube, "models", ["churn"])


def test_a_cluster_without_the_definitions_has_none_of_the_objects():
    missing = KubeError(404, "NotFound", "the cluster does not know it")
    kube = FakeKube(InferenceService=missing, Canary=missing, HTTPRoute=missing)
    assert cluster.observe(kube, "models", ["churn"]) == {"churn": ObservedModel()}


def test_a_refusal_of_the_cluster_is_not_taken_for_an_empty_one():
    with pytest.raises(KubeError, match="forbidden"):
        cluster.observe(FakeKube(Canary=KubeError(403, "Forbidden", "forbidden")), "models", ["churn"])


def test_a_missing_kubeconfig_names_the_setting(tmp_path):
    with pytest.raises(SlipwayError, match=r"Pulumi\.staging\.yaml: slipway:cluster\.kubeconfig: missing") as caught:
        cluster.connect(an_environment(), tmp_path)
    assert caught.value.exit_code is ExitCode.UNREACHABLE


def test_a_kubeconfig_is_looked_for_in_the_project(tmp_path):
    environment = an_environment(cluster={"identifier": "x", "kubeconfig": "here/config"})
    with pytest.raises(SlipwayError, match="no such file here/config"):
        cluster.kubeconfig(environment, tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "here/config").touch()
    assert cluster.kubeconfig(environment, tmp_path) == tmp_path / "here/config"


def test_a_kubeconfigs_context_is_the_one_that_is_set(tmp_path):
    servers = {"one": "https://one", "two": "https://two"}
    content = {
        "current-context": "one",
        "contexts": [{"name": name, "context": {"cluster": name, "user": "u"}} for name in servers],
        "clusters": [{"name": name, "cluster": {"server": server}} for name, server in servers.items()],
        "users": [{"name": "u", "user": {}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(content))
    for context, server in {None: "https://one", "two": "https://two"}.items():
        environment = an_environment(cluster={"identifier": "x", "kubeconfig": "config", "context": context})
        assert cluster.connect(environment, tmp_path).server == server
