"""cert-manager: what signs the certificates of webhooks."""

from __future__ import annotations

from pydantic import Field

from slipway.documents import Frozen
from slipway.platform.charts import Chart, Object
from slipway.platform.context import Context
from slipway.platform.namespaces import AUDIT, namespace

NAMESPACE = "cert-manager"
CHART = Chart(
    "cert-manager", "github.com/cert-manager/cert-manager/deploy/charts/cert-manager", NAMESPACE, version="v1.19.2"
)


class CertManagerSettings(Frozen):
    """What signs the certificates of KServe's webhooks; on EKS an add-on of the cluster does it."""

    replicas: int = Field(default=1, ge=1, description="Controllers and webhooks of each; two survive a lost node.")


def compile_cert_manager(settings: CertManagerSettings, context: Context) -> tuple[Object, ...]:
    """Render cert-manager with its definitions."""
    several = {"replicaCount": settings.replicas, "podDisruptionBudget": {"enabled": settings.replicas > 1}}
    values = {
        "crds": {"enabled": True},
        # A job that would be run by helm itself, after the installation.
        "startupapicheck": {"enabled": False},
        **several,
        "webhook": several,
        "cainjector": several,
    }
    return (namespace(NAMESPACE, AUDIT), *context.charts.render(CHART, values))
