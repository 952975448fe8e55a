"""Prometheus, Alertmanager, Grafana in an environment's cluster.

Monitoring("prod", MonitoringArgs(objects=compile_monitoring(settings, context)), ResourceOptions(providers=[provider]))

Defaults: a question every 15 s, 30 days on 50 GiB. What was measured stays when the component goes: the volumes, the
namespace that holds them. People reach Grafana by `kubectl port-forward -n monitoring service/grafana 3000`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import DATA, install
from slipway.platform.monitoring import ALERTMANAGER_PORT, NAMESPACE, PROMETHEUS_PORT


@dataclass(frozen=True, kw_only=True, eq=False)
class MonitoringArgs:
    """What `Monitoring` takes.

    Args:
        objects: Compiled by `slipway.platform.monitoring`.
    """

    objects: tuple[Mapping[str, Any], ...]


class Monitoring(pulumi.ComponentResource):
    """What measures, what warns, what shows.

    Outputs:
        prometheus: Where it is asked, from inside of the cluster.
        alertmanager: Likewise.
    """

    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.MONITORING, name, None, opts)
        install(self, args.objects, kept=DATA)
        self.outputs = {
            "prometheus": f"http://prometheus.{NAMESPACE}:{PROMETHEUS_PORT}",
            "alertmanager": f"http://alertmanager.{NAMESPACE}:{ALERTMANAGER_PORT}",
        }
        self.register_outputs(self.outputs)
