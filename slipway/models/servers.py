"""The serving runtimes: what compilers, policies and the platform know of each server, in one record.

docs/architecture.md, "A serving runtime", lists the files that another one takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: How the addresses begin that a server's files are fetched from, in every environment.
STORAGE = "s3://"
#: The address of a model's files: a pattern, and the same for people.
ADDRESS, ADDRESS_FORM = rf"{STORAGE}[^/]+/.+", f"{STORAGE}<bucket>/<path>"
#: KServe's agent answers there, in front of a server (pkg/constants/constants.go).
AGENT_PORT = 9081
#: Environment variables of KServe's own; PYTHONPATH is refused by its webhook (pkg/validation/env_policy.go).
KSERVE_ENV = frozenset({"STORAGE_URI", "PYTHONPATH"})


@dataclass(frozen=True)
class Server:
    """The contract of one serving runtime.

    A server is asked by the Open Inference Protocol (V2, `slipway.names.infer_path`) and measured by the series of
    `slipway.series`; one that counts in other names has them renamed as they are scraped.

    Args:
        runtime: Name of KServe's own ClusterServingRuntime for it.
        model_format: What it loads, as KServe calls it.
        format_versions: Versions of the format that it loads beyond those that KServe's runtime names.
        http_port: Where it answers requests.
        metrics_port: Where it answers Prometheus.
        ready: Path that answers 200 once the model is loaded.
        live: Path that answers 200 for as long as the server works.
        name_variable: Environment variable that names the model in the protocol's paths.
        version_variable: Environment variable whose value every answer repeats.
        settings: Environment variables of the runtime beside KServe's own.
        choosing: How the environment variables begin that choose which bytes are loaded.
        reserved: Environment variables that no model may set: they decide what is loaded, its name or its address.
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


#: mlserver/settings.py, whatever the runtime's annotation says.
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
    # Every version behind one host answers to the model's own name; KServe would set the InferenceService's.
    name_variable="MLSERVER_MODEL_NAME",
    # Every answer repeats which version gave it, so that a label which arrives later finds the prediction.
    version_variable="MLSERVER_MODEL_VERSION",
    settings={
        "MLSERVER_METRICS_PORT": str(_MLSERVER_METRICS),
        # A worker process per model would cost a second interpreter with all of MLflow.
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

#: All of them.
SERVERS = (MLSERVER,)
