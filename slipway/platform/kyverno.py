"""Kyverno: what refuses an object that breaks a policy."""

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
#: The kinds of policies.kyverno.io: the chart's own dependency, which stands in a module of its own.
DEFINITIONS = Chart("kyverno-api", "github.com/kyverno/api/charts/kyverno-api", NAMESPACE)


def compile_kyverno(settings: KyvernoSettings, context: Context) -> tuple[Object, ...]:
    """Render Kyverno for policies that validate: its controllers that generate, mutate or clean up are left out."""
    values = {
        "admissionController": {"replicas": settings.replicas},
        "reportsController": {"enabled": settings.reports},
        "backgroundController": {"enabled": False},
        "cleanupController": {"enabled": False},
        "crds": {"groups": {"kyverno": {"cleanuppolicies": False, "clustercleanuppolicies": False}}},
        "features": {
            # Without the reports' controller nobody would ever collect these.
            "admissionReports": {"enabled": settings.reports},
            "validatingAdmissionPolicyReports": {"enabled": settings.reports},
            # Said although they are the chart's defaults: a way around every policy must not come with a new version.
            "policyExceptions": {"enabled": False},
            "forceFailurePolicyIgnore": {"enabled": False},
        },
    }
    return (namespace(NAMESPACE, AUDIT), *context.charts.render(DEFINITIONS, {}), *context.charts.render(CHART, values))
