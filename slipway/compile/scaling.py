"""Autoscaling of a model's replicas, and the nodes that they may run on."""

from __future__ import annotations

from typing import Any

from slipway import names
from slipway.compile.objects import AutoScaling, External, ExternalMetric, PrometheusMetric, Threshold, Toleration
from slipway.models.release import Release
from slipway.models.spec import ModelSpec
from slipway.series import ASKED, REQUESTS
from slipway.settings.environment import Environment

#: KServe's default is a HorizontalPodAutoscaler, which knows only the kubelet's metrics.
AUTOSCALER = "serving.kserve.io/autoscalerClass"


def scaling(spec: ModelSpec, release: Release, environment: Environment) -> dict[str, Any]:
    """Return the predictor's fields for an autoscaler; none takes KServe's default."""
    chosen = spec.serving.scaling
    if chosen is None:
        return {}
    if chosen.metric != "requests":
        return {"scale_metric": chosen.metric, "scale_target": chosen.target}
    metric = PrometheusMetric(
        server_address=environment.prometheus_url,
        query=requests_per_second(environment.namespace, names.inference_service(spec.name, release.version)),
    )
    wanted = ExternalMetric(external=External(metric=metric, target=Threshold(value=str(chosen.target))))
    return {"auto_scaling": AutoScaling(metrics=(wanted,))}


def requests_per_second(namespace: str, service: str) -> str:
    """Return the query of the request rate of all replicas of an InferenceService; KEDA divides by the target.

    A pod has one series for each Service that selects it; the largest one counts.
    """
    asked = f'namespace="{namespace}",inferenceservice="{service}",{ASKED}'
    return f"sum(max by (pod) (rate({REQUESTS}{{{asked}}}[1m])))"


def tolerations(spec: ModelSpec) -> tuple[Toleration, ...] | None:
    """Return the toleration of GPU nodes, for a model that needs GPUs."""
    return (Toleration(key=names.GPU),) if spec.serving.gpus else None
