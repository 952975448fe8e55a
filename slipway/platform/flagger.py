"""Flagger: what moves users' traffic to a candidate, or back."""

from __future__ import annotations

from slipway.objects import Object
from slipway.platform import places
from slipway.platform.charts import Chart
from slipway.platform.context import Context
from slipway.policy.stages import namespace
from slipway.settings.policies import AUDIT
from slipway.settings.serving import FlaggerSettings

# Of these its templates and its README know, its values.yaml does not.
OPEN = ("includeLabelPrefix",)
CHART = Chart("flagger", "github.com/fluxcd/flagger/charts/flagger", places.FLAGGER, open=OPEN)


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
