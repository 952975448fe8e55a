"""Secrets: External Secrets copies what AWS Secrets Manager holds into the namespaces that may ask for it.

So no secret stands in Git, in the settings or in Pulumi's state.
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
#: The chart's own definitions are put into it when it is published; these are what they are made from. Of all kinds
#: only those that its controllers, as they are set below, ask the API server for.
DEFINITIONS = tuple(
    f"github.com/external-secrets/external-secrets/config/crds/bases/{name}.yaml"
    for name in (
        *(f"{GROUP}_clustersecretstores", f"{GROUP}_externalsecrets", f"{GROUP}_secretstores"),
        f"generators.{GROUP}_generatorstates",
    )
)
#: The one store of an environment.
STORE = "aws"


def compile_secrets(settings: SecretsSettings, context: Context) -> tuple[Object, ...]:
    """Render External Secrets with its one store, which takes the credentials of the controller's own pod.

    Raises:
        SlipwayError: Nothing says which region it is.
    """
    eks = context.environment.cluster.eks
    region = settings.region or (eks.region if eks else None)
    if region is None:
        problem = "missing; only beside a cluster on AWS (slipway:cluster.eks) there is one by itself"
        raise context.error("secrets.region", problem)
    values = {
        "replicaCount": settings.replicas,
        "leaderElect": settings.replicas > 1,
        "installCRDs": False,
        # They repeat what the definitions check, and would refuse every write while their certificate is new.
        "webhook": {"create": False},
        "certController": {"create": False},
        "processClusterExternalSecret": False,
        "processClusterGenerator": False,
        "processClusterPushSecret": False,
        # Nothing writes into the store: its other way is shut.
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
    """Name an entry of an environment in the store: its role may read nothing else."""
    return f"{names.secrets(environment)}{name}"


def external_secret(where: str, name: str, key: Any, every: str = "1h0m0s") -> Object:
    """Ask for a Secret of a name, which holds every field of an entry of the store.

    Args:
        where: Its namespace, which the store's settings must name.
        name: Of the Secret.
        key: Name or ARN of the entry, whose value is a JSON object.
        every: How soon a change of the entry arrives; asking costs (five cents for ten thousand times).
    """
    spec = {
        "refreshInterval": every,
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": STORE},
        "target": {"name": name, "creationPolicy": "Owner"},
        "dataFrom": [{"extract": {"key": key}}],
    }
    # What reads the Secret must not be started before it is there.
    ready = {"pulumi.com/waitFor": "condition=Ready"}
    return manifest(f"{GROUP}/v1", "ExternalSecret", name, where, annotations=ready, spec=spec)
