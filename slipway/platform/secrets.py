"""Compiler of External Secrets, which copies entries of AWS Secrets Manager into namespaces.

So no secret is in Git, in the settings or in Pulumi's state.
"""

from __future__ import annotations

from typing import Any

from slipway.aws import names
from slipway.objects import Object
from slipway.platform.charts import Chart
from slipway.platform.context import Context
from slipway.platform.workloads import manifest
from slipway.policy.stages import namespace
from slipway.settings.environment import Environment
from slipway.settings.operating import SecretsSettings
from slipway.settings.policies import AUDIT

NAMESPACE, GROUP = "external-secrets", "external-secrets.io"
CHART = Chart(
    "external-secrets",
    "github.com/external-secrets/external-secrets/deploy/charts/external-secrets",
    NAMESPACE,
    without=("bitwarden-sdk-server",),
)
#: The sources of the chart's definitions, which are added when it is published; only kinds that its controllers watch
#: with the settings below.
DEFINITIONS = tuple(
    f"github.com/external-secrets/external-secrets/config/crds/bases/{name}.yaml"
    for name in (
        *(f"{GROUP}_clustersecretstores", f"{GROUP}_externalsecrets", f"{GROUP}_secretstores"),
        f"generators.{GROUP}_generatorstates",
    )
)
#: The environment's store.
STORE = "aws"


def compile_secrets(settings: SecretsSettings, context: Context) -> tuple[Object, ...]:
    """Render External Secrets and its store, which uses the credentials of the controller's pod.

    Raises:
        SlipwayError: The region is missing.
    """
    eks = context.environment.cluster.eks
    region = settings.region or (eks.region if eks else None)
    if region is None:
        problem = "missing; set it, or slipway:cluster.eks, whose cluster has a default"
        raise context.error("secrets.region", problem)
    values = {
        "replicaCount": settings.replicas,
        "leaderElect": settings.replicas > 1,
        "installCRDs": False,
        # Webhooks repeat the definitions' checks, and would refuse all writes until their certificate is signed.
        "webhook": {"create": False},
        "certController": {"create": False},
        "processClusterExternalSecret": False,
        "processClusterGenerator": False,
        "processClusterPushSecret": False,
        # Nothing may write into the store.
        "processPushSecret": False,
    }
    spec = {
        "provider": {"aws": {"service": "SecretsManager", "region": region}},
        "conditions": [{"namespaces": list(settings.namespaces)}],
    }
    store = manifest(f"{GROUP}/v1", "ClusterSecretStore", STORE, spec=spec)
    definitions = (each for path in DEFINITIONS for each in context.charts.read(path))
    return (namespace(NAMESPACE, AUDIT), *definitions, *context.charts.render(CHART, values), store)


def entry(environment: Environment, name: str) -> str:
    """Return the name of an entry below the environment's path, which is all that its role may read."""
    return f"{names.secrets(environment)}{name}"


def external_secret(where: str, name: str, key: Any, every: str = "1h0m0s") -> Object:
    """Declare an ExternalSecret that copies all fields of a store entry.

    Args:
        where: Its namespace, which the store's settings must list.
        name: Name of the Secret.
        key: Name or ARN of the entry, whose value is a JSON object.
        every: Refresh interval; requests cost five cents for ten thousand.
    """
    spec = {
        "refreshInterval": every,
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": STORE},
        "target": {"name": name, "creationPolicy": "Owner"},
        "dataFrom": [{"extract": {"key": key}}],
    }
    # Pods that read the Secret start after it exists.
    ready = {"pulumi.com/waitFor": "condition=Ready"}
    return manifest(f"{GROUP}/v1", "ExternalSecret", name, where, annotations=ready, spec=spec)
