"""Cost: what models, respectively training jobs, may take of the cluster in all."""

from __future__ import annotations

from pydantic import Field

from slipway.documents import Frozen
from slipway.errors import SlipwayError, at
from slipway.platform.charts import Object
from slipway.platform.context import Context
from slipway.platform.workloads import manifest
from slipway.quantities import Cpu, Memory


class Quota(Frozen):
    """What all pods of a namespace may reserve together."""

    cpu: Cpu = Field(description="Cores, as '32' or '1500m'.")
    memory: Memory = Field(description="Memory, as 128Gi.")
    gpus: int = Field(default=0, ge=0, description="GPUs (nvidia.com/gpu).")
    pods: int = Field(default=100, ge=1, description="Pods that are not finished.")


class CostSettings(Frozen):
    """What models with training may take."""

    models: Quota = Field(description="Of the models' namespace: both releases of every rollout count.")
    training: Quota = Field(description="Of the training namespace.")
    keda: bool = Field(default=False, description="Whether KEDA is in the cluster: models may scale by requests then.")


def compile_cost(settings: CostSettings, context: Context) -> tuple[Object, ...]:
    """Limit both namespaces.

    Raises:
        SlipwayError: Nothing here declares the training namespace.
    """
    network = context.environment.platform.network
    if network is None:
        raise SlipwayError(
            f"{at(f'Pulumi.{context.environment.name}.yaml', None, 'slipway:platform.cost')}limits namespaces that"
            " nothing declares; set slipway:platform.network too"
        )
    return (
        *_limits(context.environment.namespace, settings.models),
        *_limits(network.training_namespace, settings.training),
    )


def _limits(namespace: str, quota: Quota) -> tuple[Object, Object]:
    hard = {
        "requests.cpu": quota.cpu,
        "requests.memory": quota.memory,
        "requests.nvidia.com/gpu": str(quota.gpus),
        "pods": str(quota.pods),
        # Each costs by the hour, and opens a way in that is not the gateway's.
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }
    # A namespace with a quota refuses pods that reserve nothing: those get this much.
    container = {
        "type": "Container",
        "defaultRequest": {"cpu": "100m", "memory": "256Mi"},
        "default": {"memory": "1Gi"},
    }
    return (
        manifest("v1", "ResourceQuota", "slipway", namespace, spec={"hard": hard}),
        manifest("v1", "LimitRange", "slipway", namespace, spec={"limits": [container]}),
    )
