"""Compiler of the namespaces of models and training."""

from __future__ import annotations

from slipway.compile.llm import VLLM_PORT
from slipway.models.servers import AGENT_PORT, SERVERS
from slipway.names import TRAINER
from slipway.objects import Object
from slipway.platform import places
from slipway.platform.context import Context
from slipway.platform.isolation import Opening, isolate, network, pods_of
from slipway.platform.workloads import service_account
from slipway.policy.stages import namespace
from slipway.settings.operating import NetworkSettings


def compile_network(settings: NetworkSettings, context: Context) -> tuple[Object, ...]:
    """Compile both namespaces, their service accounts and their network policies."""
    environment = context.environment
    models, training = environment.namespace, settings.training_namespace
    reached = outside(settings)
    asked = sorted({server.http_port for server in SERVERS})
    measured = sorted({server.metrics_port for server in SERVERS})
    # vLLM serves requests and metrics on one port.
    llm = (VLLM_PORT,) if environment.platform.llm_serving else ()
    mlflow = Opening((pods_of(places.MLFLOW),), (places.MLFLOW_PORT,))
    registry = {"mlflow": mlflow} if environment.platform.mlflow else {}
    store = Opening((pods_of(places.FEATURE_STORE),), (places.FEATURE_STORE_PORT,))
    features = {"feature-store": store} if environment.platform.feature_store else {}
    return (
        namespace(models, settings.stage),
        namespace(training, settings.stage),
        service_account(models, environment.service_account),
        service_account(training, TRAINER),
        *isolate(
            models,
            ingress={
                "gateway": Opening((pods_of(environment.gateway.namespace),), (*asked, AGENT_PORT, *llm)),
                "monitoring": Opening((pods_of(settings.monitoring_namespace),), (*measured, *llm)),
            },
            # Agents send requests and answers to observe.
            egress={"slipway": Opening((pods_of(places.SLIPWAY),)), **features, **reached},
        ),
        *isolate(
            training,
            # Workers of one job connect to each other.
            ingress={"itself": Opening((pods_of(training),))},
            egress={"itself": Opening((pods_of(training),)), **registry, **features, **reached},
        ),
    )


def outside(settings: NetworkSettings) -> dict[str, Opening]:
    """Return the openings to destinations outside the cluster, by name."""
    return {name: Opening((network(to.cidr),), to.ports) for name, to in settings.egress.items()}
