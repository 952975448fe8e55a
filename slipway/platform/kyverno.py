"""Kyverno: what refuses an object that breaks a policy."""

from __future__ import annotations

from pydantic import Field

from slipway.documents import Frozen
from slipway.platform.charts import Chart, Object
from slipway.platform.context import Context
from slipway.platform.namespaces import AUDIT, namespace

NAMESPACE = "kyverno"
CHART = Chart(
    "kyverno",
    "github.com/kyverno/kyverno/charts/kyverno",
    NAMESPACE,
    without=("kyverno-api", "openreports", "reports-server"),
)
#: The kinds of policies.kyverno.io: the chart's own dependency, which stands in a module of its own.
DEFINITIONS = Chart("kyverno-api", "github.com/kyverno/api/charts/kyverno-api", NAMESPACE)


class KyvernoSettings(Frozen):
    """What refuses an object that breaks a policy."""

    replicas: int = Field(
        default=1,
        ge=1,
        description="Admission controllers; with one, every write that a policy covers waits while it restarts. "
        "Kyverno's own guide says three.",
    )
    reports: bool = Field(
        default=True,
        description="Whether what is there already is judged too, in reports: the only trace of a policy that audits.",
    )


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
    return (
        namespace(NAMESPACE, AUDIT),
        *context.charts.render(DEFINITIONS, {}),
        *context.charts.render(CHART, values),
    )
