"""Compiler of Flagger, which moves users' traffic to a candidate or back."""

from __future__ import annotations

from slipway.objects import Object
from slipway.platform import places
from slipway.platform.charts import Chart
from slipway.platform.context import Context
from slipway.policy.stages import namespace
from slipway.settings.policies import AUDIT
from slipway.settings.serving import FlaggerSettings

# Documented in the chart's README but missing in its values.yaml.
OPEN = ("includeLabelPrefix",)
CHART = Chart("flagger", "github.com/fluxcd/flagger/charts/flagger", places.FLAGGER, open=OPEN)


def compile_flagger(settings: FlaggerSettings, context: Context) -> tuple[Object, ...]:
    """Render Flagger for Gateway API and the environment's Prometheus."""
    values = {
        "meshProvider": "gatewayapi:v1",
        "metricsServer": context.environment.prometheus_url,
        # Copies keep the project's labels, so that costs are counted for the pair too.
        "includeLabelPrefix": "slipway.dev/",
        "clusterName": context.environment.name,
        "leaderElection": {"enabled": settings.replicas > 1, "replicaCount": settings.replicas},
        "podDisruptionBudget": {"enabled": settings.replicas > 1},
    }
    return (namespace(CHART.namespace, AUDIT), *context.charts.render(CHART, values))
