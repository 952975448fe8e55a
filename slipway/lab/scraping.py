"""What the lab's Prometheus asks, with the labels that the answers get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slipway.lab import network
from slipway.lab.control_plane import FLAGGER_PORT, TRAEFIK_METRICS

Object = dict[str, Any]

#: Seconds between two questions, which is also the longest that Prometheus lets an answer take. Rollouts in the lab
#: take steps of ten seconds.
INTERVAL = 1
#: The Services that carry a model's traffic during a rollout, and their port for measurements (slipway/names.py,
#: slipway/compile/model.py); the target has the same pods, and no traffic.
PAIR, PORT = "(.+)-(primary|canary)", "metrics"
#: What Kubernetes' label `serving.kserve.io/inferenceservice` of a pod is called while targets are chosen.
POD_LABEL = "__meta_kubernetes_pod_label_serving_kserve_io_inferenceservice"


def configuration(kubeconfig: Path) -> Object:
    """Return Prometheus' configuration.

    Job `models` has one target for each pod that a Service of a pair selects. Outside of a rollout both Services
    select the same pods: each is asked twice, once as `service="X-primary"`, once as `service="X-canary"`.

    Args:
        kubeconfig: With which pods and Services are found.
    """
    every = f"{INTERVAL}s"
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every},
        "scrape_configs": [
            _models(kubeconfig),
            _own("flagger", f"127.0.0.1:{FLAGGER_PORT}"),
            _own("gateway", TRAEFIK_METRICS),
            _own("judge", f"{network.ADDRESS}:{network.JUDGE_PORT}"),
            # What it says is about models, so the labels that say which are its own.
            _own("observe", f"{network.ADDRESS}:{network.OBSERVE_PORT}") | {"honor_labels": True},
        ],
    }


def _models(kubeconfig: Path) -> Object:
    # In every namespace: each rehearsal has one of its own.
    slices = {"role": "endpointslice", "kubeconfig_file": str(kubeconfig)}
    return {
        "job_name": "models",
        "kubernetes_sd_configs": [slices],
        "relabel_configs": [
            _keep("__meta_kubernetes_service_name", PAIR),
            _keep("__meta_kubernetes_endpointslice_port_name", PORT),
            _label("namespace", "__meta_kubernetes_namespace"),
            _label("service", "__meta_kubernetes_service_name"),
            _label("pod", "__meta_kubernetes_pod_name"),
            _label("inferenceservice", POD_LABEL),
        ],
    }


def _own(job: str, address: str) -> Object:
    return {"job_name": job, "static_configs": [{"targets": [address]}]}


def _keep(source: str, pattern: str) -> Object:
    return {"action": "keep", "source_labels": [source], "regex": pattern}


def _label(name: str, source: str) -> Object:
    return {"source_labels": [source], "target_label": name}
