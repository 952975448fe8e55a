"""Compiler of KServe, which creates model servers from InferenceServices."""

from __future__ import annotations

from slipway import documents
from slipway.models.servers import MLSERVER
from slipway.objects import Object
from slipway.platform import runtimes
from slipway.platform.charts import Chart
from slipway.platform.context import Context
from slipway.platform.workloads import budget
from slipway.policy.stages import HOST_PATHS, POD_SECURITY, namespace
from slipway.settings.policies import AUDIT
from slipway.settings.serving import KserveSettings

NAMESPACE = "kserve"
MODULE = "github.com/kserve/kserve/charts"
DEFINITIONS = Chart("kserve-crd", f"{MODULE}/kserve-crd", NAMESPACE)
CONTROLLER = Chart("kserve", f"{MODULE}/kserve-resources", NAMESPACE)
RUNTIMES = Chart("kserve-runtimes", f"{MODULE}/kserve-runtime-configs", NAMESPACE)


def compile_kserve(settings: KserveSettings, context: Context) -> tuple[Object, ...]:
    """Render KServe with its definitions and the chosen runtimes."""
    knative = settings.mode == "Knative"
    llm = context.environment.platform.llm_serving
    cached = llm is not None and llm.node_cache is not None
    values = {
        "kserve": {
            "controller": {
                "deploymentMode": settings.mode,
                "gateway": {
                    "domain": context.environment.gateway.host_suffix,
                    # Flagger owns the routes of a model; KServe owns them only for Knative.
                    "disableIngressCreation": not knative,
                    "disableIstioVirtualHost": not knative,
                },
            },
            # Models are files with a verified digest, never container images.
            "storage": {"enableModelcar": False},
            "localmodel": {"enabled": cached},
        }
    }
    definitions = context.charts.render(DEFINITIONS, {})
    controller = [_adjusted(each, settings) for each in context.charts.render(CONTROLLER, values)]
    # Without any controller, no model could be written.
    manager = "kserve-controller-manager"
    kept = budget(NAMESPACE, manager, settings.replicas, {"control-plane": manager})
    own = namespace(NAMESPACE, AUDIT, HOST_PATHS if cached else POD_SECURITY)
    return (own, *definitions, *controller, *_runtimes(settings, context), *kept)


def _adjusted(each: Object, settings: KserveSettings) -> Object:
    """Set fields for which the chart has no values."""
    if each["kind"] == "Deployment":
        return {**each, "spec": {**each["spec"], "replicas": settings.replicas}}
    if each["kind"] == "ClusterStorageContainer":
        prefixes = [{"prefix": prefix} for prefix in settings.storage]
        return {**each, "spec": {**each["spec"], "supportedUriFormats": prefixes}}
    return each


def _runtimes(settings: KserveSettings, context: Context) -> list[Object]:
    rendered = context.charts.render(RUNTIMES, {"kserve": {"servingruntime": {"enabled": True}}})
    found = {each["metadata"]["name"]: each for each in rendered}
    if unknown := [name for name in settings.runtimes if name not in found]:
        near = documents.nearest(unknown[0], list(found))
        hint = f"nearest is {near!r}" if near else f"KServe has {', '.join(sorted(found))}"
        raise context.error("kserve.runtimes", f"unknown runtime {unknown[0]!r}; {hint}")
    found[MLSERVER.runtime] = runtimes.adjusted(MLSERVER, found[MLSERVER.runtime], settings.mlserver)
    return [found[name] for name in settings.runtimes]
