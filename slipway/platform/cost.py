"""Compiler of the resource quotas of models and training."""

from __future__ import annotations

from slipway.objects import Object
from slipway.platform.context import Context
from slipway.platform.workloads import manifest
from slipway.settings.operating import CostSettings, Quota


def compile_cost(settings: CostSettings, context: Context) -> tuple[Object, ...]:
    """Compile the quotas of both namespaces.

    Raises:
        SlipwayError: The environment does not declare the training namespace.
    """
    network = context.environment.platform.network
    if network is None:
        raise context.error("cost", "limits namespaces that nothing declares; set slipway:platform.network too")
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
        # Each costs by the hour, and bypasses the gateway.
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }
    # A namespace with a quota refuses pods without requests; these are their defaults.
    reserved = {"cpu": "100m", "memory": "256Mi"}
    container = {"type": "Container", "defaultRequest": reserved, "default": {"memory": "1Gi"}}
    return (
        manifest("v1", "ResourceQuota", "slipway", namespace, spec={"hard": hard}),
        manifest("v1", "LimitRange", "slipway", namespace, spec={"limits": [container]}),
    )
