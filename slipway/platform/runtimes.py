"""KServe's runtime for MLServer, adjusted to models of MLflow."""

from __future__ import annotations

import copy

from slipway.objects import Object


def mlserver(found: Object, image: str, name: str | None = None) -> Object:
    """Adjust KServe's own runtime: MLflow models only, probes, metrics on a port of their own.

    Args:
        found: The runtime, as KServe ships it.
        image: Of the server.
        name: Another name than KServe's.
    """
    # Settings are imported by what is compiled, so this is here.
    from slipway.compile.model import METRICS_PORT

    runtime = copy.deepcopy(found)
    runtime["metadata"]["name"] = name or runtime["metadata"]["name"]
    spec = runtime["spec"]
    spec["annotations"]["prometheus.kserve.io/port"] = str(METRICS_PORT)
    formats = [entry for entry in spec["supportedModelFormats"] if entry["name"] == "mlflow"]
    spec["supportedModelFormats"] = [*formats, {**formats[-1], "version": "3"}]
    (server,) = spec["containers"]
    server["image"] = image
    server["env"] += [
        {"name": "MLSERVER_METRICS_PORT", "value": str(METRICS_PORT)},
        # A worker process per model would cost a second interpreter with all of MLflow.
        {"name": "MLSERVER_PARALLEL_WORKERS", "value": "0"},
    ]
    # Ready once the model is loaded; KServe's own default only asks whether the port is open.
    server["readinessProbe"] = _probe("/v2/health/ready", period=1, failures=3)
    server["livenessProbe"] = _probe("/v2/health/live", period=10, failures=6) | {"initialDelaySeconds": 60}
    return runtime


def _probe(path: str, *, period: int, failures: int) -> Object:
    check = {"httpGet": {"path": path, "port": 8080}}
    return {**check, "periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": 5}
