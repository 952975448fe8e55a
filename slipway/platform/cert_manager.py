"""Compiler of cert-manager, which signs the certificates of webhooks."""

from __future__ import annotations

from slipway.objects import Object
from slipway.platform.charts import Chart
from slipway.platform.context import Context
from slipway.policy.stages import namespace
from slipway.settings.policies import AUDIT
from slipway.settings.serving import CertManagerSettings

NAMESPACE = "cert-manager"
CHART = Chart(
    "cert-manager", "github.com/cert-manager/cert-manager/deploy/charts/cert-manager", NAMESPACE, version="v1.19.2"
)


def compile_cert_manager(settings: CertManagerSettings, context: Context) -> tuple[Object, ...]:
    """Render cert-manager with its definitions."""
    several = {"replicaCount": settings.replicas, "podDisruptionBudget": {"enabled": settings.replicas > 1}}
    values = {
        "crds": {"enabled": True},
        # A job that only `helm install` runs.
        "startupapicheck": {"enabled": False},
        **several,
        "webhook": several,
        "cainjector": several,
    }
    return (namespace(NAMESPACE, AUDIT), *context.charts.render(CHART, values))
