"""Prometheus' scrape configuration and the labels of series.

The lab and clusters share it, because the judge, alerts and dashboards use these labels; only target discovery differs.
"""

from __future__ import annotations

from collections.abc import Mapping

from slipway.objects import Object

#: The Services with a model's traffic during a rollout and their metrics port (slipway/names.py,
#: slipway/compile/model.py); the target Service has the same pods but no traffic.
PAIR, PORT = "(.+)-(primary|canary)", "metrics"
#: Prometheus' name of the pod label `serving.kserve.io/inferenceservice` in relabelling.
POD_LABEL = "__meta_kubernetes_pod_label_serving_kserve_io_inferenceservice"
#: Jobs that export metrics about other objects, so their own labels are kept.
ABOUT_OTHERS = frozenset({"observe", "kube-state-metrics"})


def configuration(interval: int, access: Object, jobs: Mapping[str, Object]) -> Object:
    """Return Prometheus' scrape configuration.

    Job `models` has one target for each pod that a Service of a pair selects. Outside a rollout both Services select
    the same pods: each is scraped twice, as `service="X-primary"` and as `service="X-canary"`.

    Other jobs add no labels: `namespace` of Flagger's series is the Canary's, not Flagger's own.

    Args:
        interval: Scrape interval and timeout, in seconds.
        access: API server settings of `kubernetes_sd_configs`; empty inside a cluster.
        jobs: Target discovery of each job besides `models`.
    """
    every = f"{interval}s"
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every},
        "scrape_configs": [_models(access), *(_own(job, found) for job, found in jobs.items())],
    }


def at(address: str) -> Object:
    """Return the discovery of one target at a fixed address."""
    return {"static_configs": [{"targets": [address]}]}


def pods(namespaces: tuple[str, ...], app: str, port: str) -> Object:
    """Return the discovery of an application's pods.

    Args:
        namespaces: Their namespaces; none means all.
        app: Their label `app.kubernetes.io/name`.
        port: Name of the container's metrics port.
    """
    found: Object = {"role": "pod", "selectors": [{"role": "pod", "label": f"app.kubernetes.io/name={app}"}]}
    if namespaces:
        found["namespaces"] = {"names": list(namespaces)}
    keep = _keep("__meta_kubernetes_pod_container_port_name", port)
    return {"kubernetes_sd_configs": [found], "relabel_configs": [keep]}


def _models(access: Object) -> Object:
    # In every namespace, because each rehearsal has a separate one.
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
