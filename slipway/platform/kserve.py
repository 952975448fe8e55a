"""KServe: what makes servers out of InferenceServices."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from slipway import documents
from slipway.documents import Frozen
from slipway.errors import SlipwayError
from slipway.platform import runtimes
from slipway.platform.charts import Chart, Object
from slipway.platform.context import Context
from slipway.platform.namespaces import AUDIT, HOST_PATHS, POD_SECURITY, namespace

NAMESPACE = "kserve"
MODULE = "github.com/kserve/kserve/charts"
DEFINITIONS = Chart("kserve-crd", f"{MODULE}/kserve-crd", NAMESPACE)
CONTROLLER = Chart("kserve", f"{MODULE}/kserve-resources", NAMESPACE)
RUNTIMES = Chart("kserve-runtimes", f"{MODULE}/kserve-runtime-configs", NAMESPACE)
MLSERVER = "kserve-mlserver"


class KserveSettings(Frozen):
    """What makes servers out of InferenceServices; its webhooks need cert-manager in the cluster."""

    mode: Literal["Standard", "Knative"] = Field(
        default="Standard",
        description="How a model runs that does not say: as a Deployment, or as a service of Knative, which the "
        "cluster must have then. Canaries need Standard, KServe's own default is Knative.",
    )
    replicas: int = Field(
        default=1,
        ge=1,
        description="Controllers, of which one leads; all answer the webhooks. Two survive the loss of a node.",
    )
    runtimes: tuple[str, ...] = Field(
        default=(MLSERVER,),
        min_length=1,
        description="Which of KServe's runtimes there are. Each is one more image to watch over.",
    )
    mlserver: str = Field(
        default="docker.io/seldonio/mlserver:1.7.1",
        pattern=r"^[^\s:]+(:[0-9]+/[^\s:]+)?:[^\s:]+$",
        description=f"Image of {MLSERVER}, with its tag. Its MLflow must be able to read the models: "
        "what MLflow 3 logged needs MLflow 3 there.",
    )
    storage: tuple[str, ...] = Field(
        default=("s3://",),
        min_length=1,
        description="How the address of a model's files may begin; KServe itself would also fetch from anywhere by "
        "https and from Hugging Face.",
    )


def compile_kserve(settings: KserveSettings, context: Context) -> tuple[Object, ...]:
    """Render KServe with its definitions and with the runtimes that are wanted."""
    knative = settings.mode == "Knative"
    llm = context.environment.platform.llm_serving
    cached = llm is not None and llm.node_cache is not None
    values = {
        "kserve": {
            "controller": {
                "deploymentMode": settings.mode,
                "gateway": {
                    "domain": context.environment.gateway.host_suffix,
                    # Flagger owns the routes of a model; only Knative's are KServe's own.
                    "disableIngressCreation": not knative,
                    "disableIstioVirtualHost": not knative,
                },
            },
            # Models are files whose digest is checked, never images beside the server.
            "storage": {"enableModelcar": False},
            "localmodel": {"enabled": cached},
        }
    }
    definitions = context.charts.render(DEFINITIONS, {})
    controller = [_adjusted(each, settings) for each in context.charts.render(CONTROLLER, values)]
    own = namespace(NAMESPACE, AUDIT, HOST_PATHS if cached else POD_SECURITY)
    return (own, *definitions, *controller, *_runtimes(settings, context), *_budget(settings))


def _adjusted(each: Object, settings: KserveSettings) -> Object:
    """Set what the chart has no values for."""
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
        where = f"Pulumi.{context.environment.name}.yaml: slipway:platform.kserve.runtimes: "
        raise SlipwayError(f"{where}unknown runtime {unknown[0]!r}; {hint}")
    found[MLSERVER] = runtimes.mlserver(found[MLSERVER], settings.mlserver)
    return [found[name] for name in settings.runtimes]


def _budget(settings: KserveSettings) -> list[Object]:
    """Keep one controller through a drain, where there are several: without any, no model could be written."""
    if settings.replicas == 1:
        return []
    labels = {"control-plane": "kserve-controller-manager"}
    return [
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "kserve-controller-manager", "namespace": NAMESPACE},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": labels}},
        }
    ]
