"""Compiler of Grafana with read-only dashboards."""

from __future__ import annotations

import json

import yaml

from slipway.objects import Object
from slipway.platform.dashboards import DASHBOARDS, DATASOURCE, compile_dashboard
from slipway.platform.places import PROMETHEUS_PORT
from slipway.platform.systems import System, config_map
from slipway.platform.workloads import secret_variable

PORT = 3000
_PROVISIONING, _DASHBOARDS = "/etc/grafana/provisioning", "/etc/grafana/dashboards"


def compile_grafana(namespace: str, admin: str) -> tuple[Object, ...]:
    """Compile Grafana, which stores nothing; the Secret `admin` has the keys `user` and `password`."""
    datasource = {"name": "Prometheus", **DATASOURCE, "url": f"http://prometheus:{PROMETHEUS_PORT}", "isDefault": True}
    folder = {"name": "slipway", "type": "file", "options": {"path": _DASHBOARDS}, "allowUiUpdates": False}
    boards = {f"{board.uid}.json": json.dumps(compile_dashboard(board), indent=1) for board in DASHBOARDS}
    files = {
        f"{_PROVISIONING}/datasources": _provided("grafana-datasources", namespace, "datasources", datasource),
        f"{_PROVISIONING}/dashboards": _provided("grafana-folders", namespace, "providers", folder),
        _DASHBOARDS: config_map("grafana-dashboards", namespace, boards),
    }
    return System(
        name="grafana",
        namespace=namespace,
        image="docker.io/grafana/grafana:12.1.1",
        port=PORT,
        probe="/api/health",
        cpu="50m",
        memory="256Mi",
        env=(
            secret_variable("GF_SECURITY_ADMIN_USER", admin, "user"),
            secret_variable("GF_SECURITY_ADMIN_PASSWORD", admin, "password"),
            {"name": "GF_ANALYTICS_REPORTING_ENABLED", "value": "false"},
            {"name": "GF_ANALYTICS_CHECK_FOR_UPDATES", "value": "false"},
            {"name": "GF_USERS_ALLOW_SIGN_UP", "value": "false"},
        ),
        files=files,
        scratch=("/var/lib/grafana",),
    ).objects()


def _provided(name: str, namespace: str, what: str, entry: Object) -> Object:
    return config_map(name, namespace, {f"{what}.yaml": yaml.safe_dump({"apiVersion": 1, what: [entry]})})
