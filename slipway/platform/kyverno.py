"""Compiler of Kyverno, which enforces the policies."""

from __future__ import annotations

from slipway.objects import Object
from slipway.platform.charts import Chart
from slipway.platform.context import Context
from slipway.policy.stages import namespace
from slipway.settings.policies import AUDIT
from slipway.settings.serving import KyvernoSettings

NAMESPACE = "kyverno"
CHART = Chart(
    "kyverno",
    "github.com/kyverno/kyverno/charts/kyverno",
    NAMESPACE,
    without=("kyverno-api", "openreports", "reports-server"),
)
#: The kinds of policies.kyverno.io, a dependency of the chart in a separate module.
DEFINITIONS = Chart("kyverno-api", "github.com/kyverno/api/charts/kyverno-api", NAMESPACE)


def compile_kyverno(settings: KyvernoSettings, context: Context) -> tuple[Object, ...]:
    """Render Kyverno for validating policies, without the controllers that generate, mutate or clean up."""
    values = {
        "admissionController": {"replicas": settings.replicas},
        "reportsController": {"enabled": settings.reports},
        "backgroundController": {"enabled": False},
        "cleanupController": {"enabled": False},
        "crds": {"groups": {"kyverno": {"cleanuppolicies": False, "clustercleanuppolicies": False}}},
        "features": {
            # Only the reports' controller deletes these.
            "admissionReports": {"enabled": settings.reports},
            "validatingAdmissionPolicyReports": {"enabled": settings.reports},
            # Also the chart's defaults, but a new chart version must not allow exceptions.
            "policyExceptions": {"enabled": False},
            "forceFailurePolicyIgnore": {"enabled": False},
        },
    }
    return (namespace(NAMESPACE, AUDIT), *context.charts.render(DEFINITIONS, {}), *context.charts.render(CHART, values))
