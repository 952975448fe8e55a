"""Prometheus, Alertmanager, Grafana in an environment's cluster.

Monitoring("prod", SystemArgs(objects=compile_monitoring(settings, context)), ResourceOptions(providers=[provider]))

Defaults: a question every 15 s, 30 days on 50 GiB. What was measured stays when the component goes: the volumes, the
namespace that holds them. People reach Grafana by `kubectl port-forward -n monitoring service/grafana 3000`.
"""

from __future__ import annotations

from typing import Any

from components import tokens
from components.installing import DATA
from components.system import Objects, System
from slipway.platform.monitoring import ALERTMANAGER_PORT, PROMETHEUS_PORT
from slipway.settings.monitoring import NAMESPACE


class Monitoring(System):
    """What measures, what warns, what shows.

    Outputs:
        prometheus: Where it is asked, from inside of the cluster.
        alertmanager: Likewise.
    """

    TOKEN = tokens.MONITORING
    KEPT = DATA

    @staticmethod
    def describe(objects: Objects) -> dict[str, Any]:
        return {
            "prometheus": f"http://prometheus.{NAMESPACE}:{PROMETHEUS_PORT}",
            "alertmanager": f"http://alertmanager.{NAMESPACE}:{ALERTMANAGER_PORT}",
        }
