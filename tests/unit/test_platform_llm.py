"""What serves LLMs, compiled from charts that are not rendered here."""

from __future__ import annotations

from typing import Any

import pytest
from builders import an_environment

from slipway.errors import SlipwayError
from slipway.platform.context import Context
from slipway.platform.llm_serving import CACHE, CONTROLLER, DEFINITIONS, compile_llm_serving
from slipway.settings.serving import LlmServingSettings


def named(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


class FakeCharts:
    """Answers with a few objects, and remembers the values."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def render(self, chart: Any, values: Any) -> tuple[dict[str, Any], ...]:
        self.values[chart.name] = values
        if chart is DEFINITIONS:
            names = ("clusterstoragecontainers.serving.kserve.io", "llminferenceservices.serving.kserve.io")
            return tuple(named("CustomResourceDefinition", name) for name in names)
        if chart is CACHE:
            return (named("DaemonSet", "agent", template={"metadata": {}, "spec": {"nodeSelector": {"a": "b"}}}),)
        return ()


def compiled(**settings: Any) -> tuple[dict[tuple[str, str], Any], FakeCharts]:
    charts = FakeCharts()
    context = Context(an_environment(platform={"kserve": {}}), charts, ())  # type: ignore[arg-type]
    found = compile_llm_serving(LlmServingSettings.model_validate(settings), context)
    return {(each["kind"], each["metadata"]["name"]): each for each in found}, charts


def test_what_kserve_itself_declares_is_not_declared_again():
    found, charts = compiled(replicas=2)
    assert [name for _, name in found] == ["llminferenceservices.serving.kserve.io"]
    assert charts.values[CONTROLLER.name] == {
        "kserve": {"createSharedResources": False, "llmisvc": {"controller": {"replicas": 2}}}
    }


def test_weights_are_copied_onto_the_nodes_of_one_pool():
    found, _ = compiled(node_cache={"size": "100Gi"})
    pod = found["DaemonSet", "agent"]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"slipway.dev/pool": "gpu"}
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    group = found["LocalModelNodeGroup", "gpu"]["spec"]
    assert group["storageLimit"] == "100Gi"
    (term,) = group["persistentVolumeSpec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [{"key": "slipway.dev/pool", "operator": "In", "values": ["gpu"]}]


def test_without_kserve_it_is_refused():
    context = Context(an_environment(), FakeCharts(), ())  # type: ignore[arg-type]
    with pytest.raises(SlipwayError, match=r"platform\.llm_serving: needs platform\.kserve"):
        compile_llm_serving(LlmServingSettings(), context)
