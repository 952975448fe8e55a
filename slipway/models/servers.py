"""Serving runtimes: one record for each server, read by compilers, policies and the platform.

docs/architecture.md, "A serving runtime", lists the files that another one takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Beginning of the addresses of models' files, in every environment.
STORAGE = "s3://"
#: The address of a model's files, as a pattern and in words.
ADDRESS, ADDRESS_FORM = rf"{STORAGE}[^/]+/.+", f"{STORAGE}<bucket>/<path>"
#: Port of KServe's agent, in front of a server (pkg/constants/constants.go).
AGENT_PORT = 9081
#: KServe's environment variables; PYTHONPATH is refused by its webhook (pkg/validation/env_policy.go).
KSERVE_ENV = frozenset({"STORAGE_URI", "PYTHONPATH"})


@dataclass(frozen=True)
class Server:
    """The contract of one serving runtime.

    Clients use the Open Inference Protocol (V2, `slipway.names.infer_path`). Metrics are the series of
    `slipway.series`; those of a server with other names are renamed as they are scraped.

    Args:
        runtime: Name of KServe's own ClusterServingRuntime for it.
        model_format: KServe's name of the format that the server loads.
        format_versions: Versions of the format beyond those of KServe's runtime.
        http_port: Port of requests.
        metrics_port: Port of metrics.
        ready: Path that answers 200 once the model is loaded.
        live: Path that answers 200 for as long as the server works.
        name_variable: Environment variable that names the model in the protocol's paths.
        version_variable: Environment variable whose value every answer repeats.
        settings: Environment variables of the runtime beside KServe's own.
        choosing: Beginning of the environment variables that choose the loaded bytes.
        reserved: Environment variables that no model may set: they decide the loaded model, its name or its address.
        largest_latency_ms: The last finite edge of its latency histogram, milliseconds: no quantile is above it.
    """

    runtime: str
    model_format: str
    format_versions: tuple[str, ...]
    http_port: int
    metrics_port: int
    ready: str
    live: str
    name_variable: str
    version_variable: str
    settings: Mapping[str, str]
    choosing: str
    reserved: frozenset[str]
    largest_latency_ms: float


#: mlserver/settings.py; the runtime's annotation names another.
_MLSERVER_METRICS = 8082

MLSERVER = Server(
    # config/runtimes/kserve-mlserver.yaml of KServe.
    runtime="kserve-mlserver",
    model_format="mlflow",
    format_versions=("3",),
    http_port=8080,
    metrics_port=_MLSERVER_METRICS,
    ready="/v2/health/ready",
    live="/v2/health/live",
    # All versions behind one host have the model's name; KServe would set the InferenceService's.
    name_variable="MLSERVER_MODEL_NAME",
    # Every answer names its version, so that a later label finds its prediction.
    version_variable="MLSERVER_MODEL_VERSION",
    settings={
        "MLSERVER_METRICS_PORT": str(_MLSERVER_METRICS),
        # A worker process for each model would be a second interpreter with all of MLflow.
        "MLSERVER_PARALLEL_WORKERS": "0",
    },
    choosing="MLSERVER_MODEL_",
    reserved=frozenset(
        {
            "MLSERVER_MODEL_NAME",
            "MLSERVER_MODEL_VERSION",
            "MLSERVER_MODEL_URI",
            "MLSERVER_MODEL_IMPLEMENTATION",
            "MLSERVER_HTTP_PORT",
            "MLSERVER_GRPC_PORT",
            "MLSERVER_METRICS_PORT",
            "MLSERVER_METRICS_ENDPOINT",
            "MLSERVER_METRICS_REST_SERVER_PREFIX",
        }
    ),
    # prometheus_client's Histogram.DEFAULT_BUCKETS.
    largest_latency_ms=10_000.0,
)

#: All serving runtimes.
SERVERS = (MLSERVER,)
