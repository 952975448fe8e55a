"""Flagger: what moves users' traffic to a candidate, or back."""

from __future__ import annotations

from pydantic import Field

from slipway.documents import Frozen
from slipway.platform.charts import Chart, Object
from slipway.platform.context import Context
from slipway.platform.namespaces import AUDIT, namespace

# Of these its templates and its README know, its values.yaml does not.
OPEN = ("includeLabelPrefix",)
CHART = Chart("flagger", "github.com/fluxcd/flagger/charts/flagger", "flagger-system", open=OPEN)


class FlaggerSettings(Frozen):
    """Flagger."""

    replicas: int = Field(
        1,
        ge=1,
        description="Controllers, of which one leads; two survive the loss of a node. Its chart's default is one.",
    )


def compile_flagger(settings: FlaggerSettings, context: Context) -> tuple[Object, ...]:
    """Render Flagger for Gateway API, asking the environment's Prometheus."""
    values = {
        "meshProvider": "gatewayapi:v1",
        "metricsServer": context.environment.prometheus_url,
        # Labels of ours survive on what it copies, so that costs are counted for the pair too.
        "includeLabelPrefix": "slipway.dev/",
        "clusterName": context.environment.name,
        "leaderElection": {"enabled": settings.replicas > 1, "replicaCount": settings.replicas},
        "podDisruptionBudget": {"enabled": settings.replicas > 1},
    }
    return (namespace(CHART.namespace, AUDIT), *context.charts.render(CHART, values))
