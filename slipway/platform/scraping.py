"""What Prometheus asks, with the labels that the answers get.

One definition for the lab's Prometheus, for a cluster's: the judge, the alerts, the dashboards know series by these
names. Only how targets are found differs.
"""

from __future__ import annotations

from collections.abc import Mapping

from slipway.objects import Object

#: The Services that carry a model's traffic during a rollout, and their port for measurements (slipway/names.py,
#: slipway/compile/model.py); the target has the same pods, and no traffic.
PAIR, PORT = "(.+)-(primary|canary)", "metrics"
#: What Kubernetes' label `serving.kserve.io/inferenceservice` of a pod is called while targets are chosen.
POD_LABEL = "__meta_kubernetes_pod_label_serving_kserve_io_inferenceservice"
#: Jobs whose answers are about other things than who answers, so the labels that say which are their own.
ABOUT_OTHERS = frozenset({"observe", "kube-state-metrics"})


def configuration(interval: int, access: Object, jobs: Mapping[str, Object]) -> Object:
    """Return Prometheus' configuration, as far as it says what is asked.

    Job `models` has one target for each pod that a Service of a pair selects. Outside of a rollout both Services
    select the same pods: each is asked twice, once as `service="X-primary"`, once as `service="X-canary"`.

    No other job adds labels to its answers: `namespace` of a series of Flagger's is the Canary's, not Flagger's own.

    Args:
        interval: Seconds between two questions, which is also the longest that an answer may take.
        access: How the API server is reached, as `kubernetes_sd_configs` says it; empty inside a cluster.
        jobs: The name of each job besides `models`, with how its targets are found.
    """
    every = f"{interval}s"
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every},
        "scrape_configs": [_models(access), *(_own(job, found) for job, found in jobs.items())],
    }


def at(address: str) -> Object:
    """Find one target at a fixed address."""
    return {"static_configs": [{"targets": [address]}]}


def pods(namespaces: tuple[str, ...], app: str, port: str) -> Object:
    """Find the pods of an application.

    Args:
        namespaces: Where they run; none means everywhere.
        app: Their label `app.kubernetes.io/name`.
        port: Name of the container's port that measurements are told at.
    """
    found: Object = {"role": "pod", "selectors": [{"role": "pod", "label": f"app.kubernetes.io/name={app}"}]}
    if namespaces:
        found["namespaces"] = {"names": list(namespaces)}
    keep = _keep("__meta_kubernetes_pod_container_port_name", port)
    return {"kubernetes_sd_configs": [found], "relabel_configs": [keep]}


def _models(access: Object) -> Object:
    # In every namespace: each rehearsal has one of its own.
    return {
        "job_name": "models",
        "kubernetes_sd_configs": [{"role": "endpointslice", **access}],
        "relabel_configs": [
            _keep("__meta_kubernetes_service_name", PAIR),
            _keep("__meta_kubernetes_endpointslice_port_name", PORT),
            _label("namespace", "__meta_kubernetes_namespace"),
            _label("service", "__meta_kubernetes_service_name"),
            _label("pod", "__meta_kubernetes_pod_name"),
            _label("inferenceservice", POD_LABEL),
        ],
    }


def _own(job: str, found: Object) -> Object:
    return {"job_name": job, **({"honor_labels": True} if job in ABOUT_OTHERS else {}), **found}


def _keep(source: str, pattern: str) -> Object:
    return {"action": "keep", "source_labels": [source], "regex": pattern}


def _label(name: str, source: str) -> Object:
    return {"source_labels": [source], "target_label": name}
