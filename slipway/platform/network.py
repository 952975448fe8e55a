"""Network: the namespaces of models with those of training, shut but for what each needs."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field

from slipway.documents import Frozen, Sorted
from slipway.model_spec import NAME
from slipway.platform.charts import Object
from slipway.platform.context import Context
from slipway.platform.isolation import Opening, isolate, network, pods_of
from slipway.platform.namespaces import ENFORCE, Stage, namespace
from slipway.platform.workloads import service_account

#: Where the judge with its companions runs.
SLIPWAY = "slipway"
#: The service account of whatever trains: it may write artifacts, models may only read them.
TRAINER = "training"


def _is_network(cidr: str) -> str:
    try:
        return str(ipaddress.IPv4Network(cidr))
    except ValueError:
        raise ValueError(f"expected an IPv4 network, as '10.0.0.0/16', got {cidr!r}") from None


class Destination(Frozen):
    """Something outside of the cluster."""

    cidr: Annotated[str, AfterValidator(_is_network)] = Field(description="Its network, as 10.0.0.0/16.")
    ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = Field(
        default=(443,), min_length=1, description="TCP ports that may be reached there."
    )


class NetworkSettings(Frozen):
    """The namespaces of models with those of training."""

    training_namespace: str = Field(default="training", pattern=NAME, description="Where training jobs run.")
    monitoring_namespace: str = Field(
        default="monitoring", pattern=NAME, description="Whose pods may read the models' metrics."
    )
    stage: Stage = Field(
        default=ENFORCE,
        description="How strictly policies take these namespaces: audit reports, enforce refuses.",
    )
    egress: Sorted[Annotated[str, Field(pattern=NAME)], Destination] = Field(
        default_factory=dict,
        description="What models or training may reach outside of the cluster, by a name; nothing else can be reached.",
    )


def compile_network(settings: NetworkSettings, context: Context) -> tuple[Object, ...]:
    """Declare both namespaces, their service accounts, their policies."""
    # Not above: what models are compiled to knows the environment, whose settings these are.
    from slipway.compile.llm import VLLM_PORT
    from slipway.compile.model import AGENT_PORT, HTTP_PORT, METRICS_PORT

    environment = context.environment
    models, training = environment.namespace, settings.training_namespace
    reached = outside(settings)
    # vLLM answers, and tells its metrics, at one port.
    llm = (VLLM_PORT,) if environment.platform.llm_serving else ()
    registry = {"mlflow": Opening((pods_of("mlflow"),), (5000,))} if environment.platform.mlflow else {}
    features = (
        {"feature-store": Opening((pods_of("feature-store"),), (6566,))} if environment.platform.feature_store else {}
    )
    return (
        namespace(models, settings.stage),
        namespace(training, settings.stage),
        service_account(models, environment.service_account),
        service_account(training, TRAINER),
        *isolate(
            models,
            ingress={
                "gateway": Opening((pods_of(environment.gateway.namespace),), (HTTP_PORT, AGENT_PORT, *llm)),
                "monitoring": Opening((pods_of(settings.monitoring_namespace),), (METRICS_PORT, *llm)),
            },
            # Their agents send what was asked, what was answered, to be joined with labels.
            egress={SLIPWAY: Opening((pods_of(SLIPWAY),)), **features, **reached},
        ),
        *isolate(
            training,
            # The workers of one job find each other.
            ingress={"itself": Opening((pods_of(training),))},
            egress={"itself": Opening((pods_of(training),)), **registry, **features, **reached},
        ),
    )


def outside(settings: NetworkSettings) -> dict[str, Opening]:
    """Return the openings to what is outside of the cluster, by their names."""
    return {name: Opening((network(to.cidr),), to.ports) for name, to in settings.egress.items()}
