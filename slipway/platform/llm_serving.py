"""Compiler of KServe's LLM controller and its presets for vLLM."""

from __future__ import annotations

from typing import Any

from slipway import names
from slipway.objects import Object
from slipway.platform.charts import Chart
from slipway.platform.context import Context
from slipway.platform.kserve import MODULE, NAMESPACE
from slipway.platform.workloads import manifest
from slipway.policy.stages import namespace
from slipway.settings.aws import POOL_LABEL
from slipway.settings.policies import AUDIT
from slipway.settings.serving import LlmServingSettings, NodeCacheSettings

DEFINITIONS = Chart("kserve-llmisvc-crd", f"{MODULE}/kserve-llmisvc-crd", NAMESPACE)
CONTROLLER = Chart("kserve-llmisvc", f"{MODULE}/kserve-llmisvc-resources", NAMESPACE)
PRESETS = Chart("kserve-llmisvc-presets", f"{MODULE}/kserve-runtime-configs", NAMESPACE)
CACHE_DEFINITIONS = Chart("kserve-localmodel-crd", f"{MODULE}/kserve-localmodel-crd", NAMESPACE)
CACHE = Chart("kserve-localmodel", f"{MODULE}/kserve-localmodel-resources", NAMESPACE)
#: Where KServe fetches weights for the nodes (its ConfigMap's `jobNamespace`).
JOBS = "kserve-localmodel-jobs"
#: Where KServe's agent keeps weights on a node; its chart has no value for it.
PATH = "/models"


def compile_llm_serving(settings: LlmServingSettings, context: Context) -> tuple[Object, ...]:
    """Render the controller, its definitions and presets, and the optional cache of weights on nodes.

    Raises:
        SlipwayError: The environment does not install KServe.
    """
    if context.environment.platform.kserve is None:
        problem = "needs platform.kserve, whose namespace and certificates it shares; add it"
        raise context.error("llm_serving", problem)
    # KServe's own chart declares the shared resources.
    apart = {"kserve": {"createSharedResources": False}}
    values = {"kserve": {"createSharedResources": False, "llmisvc": {"controller": {"replicas": settings.replicas}}}}
    definitions = [
        each
        for each in context.charts.render(DEFINITIONS, {})
        if not each["metadata"]["name"].startswith("clusterstoragecontainers.")
    ]
    presets = context.charts.render(PRESETS, {"kserve": {"llmisvcConfigs": {"enabled": True}}})
    cache = _cache(settings.node_cache, context, apart) if settings.node_cache else ()
    return (*definitions, *context.charts.render(CONTROLLER, values), *presets, *cache)


def _cache(settings: NodeCacheSettings, context: Context, values: dict[str, Any]) -> tuple[Object, ...]:
    rendered = [
        *context.charts.render(CACHE_DEFINITIONS, {}),
        *(_on_the_pool(each, settings) for each in context.charts.render(CACHE, values)),
    ]
    return (namespace(JOBS, AUDIT), *rendered, _node_group(settings))


def _on_the_pool(each: Object, settings: NodeCacheSettings) -> Object:
    """Run KServe's agent on the nodes of the pool, GPU nodes included."""
    if each["kind"] != "DaemonSet":
        return each
    template = each["spec"]["template"]
    pod = {
        **template["spec"],
        "nodeSelector": {POOL_LABEL: settings.pool},
        "tolerations": [{"key": names.GPU, "operator": "Exists", "effect": "NoSchedule"}],
    }
    return {**each, "spec": {**each["spec"], "template": {**template, "spec": pod}}}


def _node_group(settings: NodeCacheSettings) -> Object:
    """Return the nodes of the pool as the group that a model names in `llm.node_cache.node_groups`."""
    volume = {"accessModes": ["ReadWriteOnce"], "storageClassName": "local-storage", "volumeMode": "Filesystem"}
    of_the_pool = [{"key": POOL_LABEL, "operator": "In", "values": [settings.pool]}]
    spec = {
        "storageLimit": settings.size,
        "persistentVolumeSpec": {
            **volume,
            "capacity": {"storage": settings.size},
            "local": {"path": PATH},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": of_the_pool}]}},
        },
        "persistentVolumeClaimSpec": {**volume, "resources": {"requests": {"storage": settings.size}}},
    }
    return manifest("serving.kserve.io/v1alpha1", "LocalModelNodeGroup", settings.pool, spec=spec)
