"""KServe's serving runtimes, adjusted to `slipway.models.servers`."""

from __future__ import annotations

import copy

from slipway.models.servers import Server
from slipway.objects import Object


def adjusted(server: Server, found: Object, image: str, name: str | None = None) -> Object:
    """Return KServe's runtime of a server with the model's format only, probes, and a separate metrics port.

    Args:
        found: The runtime as KServe ships it.
        name: New name of the runtime; None keeps KServe's.
    """
    runtime = copy.deepcopy(found)
    runtime["metadata"]["name"] = name or runtime["metadata"]["name"]
    spec = runtime["spec"]
    spec["annotations"]["prometheus.kserve.io/port"] = str(server.metrics_port)
    formats = [entry for entry in spec["supportedModelFormats"] if entry["name"] == server.model_format]
    spec["supportedModelFormats"] = [
        *formats,
        *({**formats[-1], "version": version} for version in server.format_versions),
    ]
    (container,) = spec["containers"]
    container["image"] = image
    # KServe's runtimes for other servers ship no variables.
    own = ({"name": name, "value": value} for name, value in server.settings.items())
    container["env"] = [*container.get("env", ()), *own]
    # Ready once the model is loaded; KServe's default only tests whether the port is open.
    container["readinessProbe"] = _probe(server, server.ready, period=1, failures=3)
    container["livenessProbe"] = _probe(server, server.live, period=10, failures=6) | {"initialDelaySeconds": 60}
    return runtime


def _probe(server: Server, path: str, *, period: int, failures: int) -> Object:
    check = {"httpGet": {"path": path, "port": server.http_port}}
    return {**check, "periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": 5}
