"""The alerts: what is wrong, how bad that is, what it hits, for how long it must hold."""

from __future__ import annotations

from dataclasses import dataclass

from slipway.platform.tiers import Impact, Severity
from slipway.series import ROLLOUTS

#: What is asked in five minutes below which a share of it says nothing; the judge's floor for the same decision.
FEW = 20
#: Share of failures that nobody's objective allows; the judge takes a candidate back at it (docs/judge.md).
FAILING = 0.2
#: Below it a model is said to be guessing; of two classes, 0.5 is a coin.
UNSURE = 0.7
#: Share of columns whose distribution is another one than the model began with.
DRIFTED = 0.5
#: Requests of a day that make an hour without any remarkable.
BUSY = 1000
#: Days after which what users have counts as old.
STALE = 90

_ASKED = f"slipway:model_requests:rate5m * 300 >= {FEW}"
_FAILED = "slipway:model_failures:rate5m / slipway:model_requests:rate5m"
_PREDICTOR = '{deployment=~".+-v[0-9]+-predictor"}'
_MODEL_OF_DEPLOYMENT = '"model", "$1", "deployment", "(.+)-v[0-9]+-predictor"'
_MODEL_OF_POD = '"model", "$1", "pod", "(.+)-v[0-9]+-predictor-.+"'
_GPU_MEMORY = "DCGM_FI_DEV_FB_USED / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE)"


@dataclass(frozen=True)
class Alert:
    """One alert.

    Args:
        name: As people say it.
        query: PromQL; each series that it gives is one alert.
        minutes: How long it must hold; a blip is not worth anybody's time.
        severity: How bad it is.
        impact: What it hits.
        summary: One line for people; `{{ $labels.x }}` stands for a label, `{{ $value }}` for the number.
        then: What to do about it.
    """

    name: str
    query: str
    minutes: int
    severity: Severity
    impact: Impact
    summary: str
    then: str


def _down(job: str) -> str:
    """One that is gone has no series at all."""
    return f'absent(up{{job="{job}"}} == 1)'


MODELS = (
    Alert(
        "ModelDown",
        'max by (namespace, model) (label_replace(max_over_time(up{job="models",service=~".+-primary"}[1h]),'
        ' "model", "$1", "service", "(.+)-primary")) == 1'
        ' unless max by (namespace, model) (label_replace(up{job="models",service=~".+-primary"},'
        ' "model", "$1", "service", "(.+)-primary")) == 1',
        2,
        "critical",
        "users",
        "{{ $labels.model }}: no server that users reach has answered for two minutes",
        "kubectl describe the InferenceService that `slipway rollout status` names; `slipway rollout rollback` leads to"
        " the one before",
    ),
    Alert(
        "ModelFailing",
        f"{_FAILED} > {FAILING} and {_ASKED}",
        2,
        "critical",
        "users",
        "{{ $labels.model }}: {{ $value | humanizePercentage }} of the requests fail",
        "`slipway rollout status`; if a rollout has just ended, `slipway rollout rollback`",
    ),
    Alert(
        "ModelErrors",
        f"{_FAILED} > on (model) group_left (owner) slipway:objective_error_ratio and on (namespace, model) {_ASKED}",
        10,
        "warning",
        "users",
        "{{ $labels.model }}: {{ $value | humanizePercentage }} of the requests fail, more than its objective allows",
        "the dashboard of the model shows which version, since when",
    ),
    Alert(
        "ModelSlow",
        "histogram_quantile(0.95, sum by (namespace, model, le) (slipway:latency_seconds_bucket:rate5m))"
        f" > on (model) group_left (owner) slipway:objective_latency_p95_seconds and on (namespace, model) {_ASKED}",
        10,
        "warning",
        "users",
        "{{ $labels.model }}: 95 % of the answers take up to {{ $value | humanizeDuration }}: its objective is less",
        "more replicas, or a version that is faster; the dashboard shows whether all replicas are slow",
    ),
    Alert(
        "ModelWrong",
        "slipway_quality_ratio < on (model) group_left (owner) slipway:objective_correct_ratio",
        15,
        "warning",
        "users",
        "{{ $labels.model }} v{{ $labels.version }}: {{ $value | humanizePercentage }} of the labelled answers are"
        " right, fewer than its objective asks for",
        "compare with the version before it on the dashboard; retrain, or `slipway rollout rollback`",
    ),
    Alert(
        "ModelUnasked",
        f"slipway:model_requests:rate5m == 0 and avg_over_time(slipway:model_requests:rate5m[1d]) * 86400 > {BUSY}",
        60,
        "warning",
        "users",
        "{{ $labels.model }}: nobody has asked for an hour, on a day with more than a thousand requests",
        "ask it yourself at its host: if that answers, who asks has gone; else look at the gateway",
    ),
    Alert(
        "ModelReplicasMissing",
        f"label_replace(kube_deployment_status_replicas_available{_PREDICTOR}, {_MODEL_OF_DEPLOYMENT})"
        f" < label_replace(kube_deployment_spec_replicas{_PREDICTOR}, {_MODEL_OF_DEPLOYMENT})",
        10,
        "warning",
        "users",
        "{{ $labels.deployment }}: only {{ $value }} replicas are available",
        "kubectl get events: usually no node has room, or an image cannot be pulled",
    ),
    Alert(
        "ModelRestarts",
        "label_replace(increase(kube_pod_container_status_restarts_total"
        f'{{pod=~".+-v[0-9]+-predictor-.+"}}[30m]), {_MODEL_OF_POD}) > 3',
        0,
        "warning",
        "users",
        "{{ $labels.pod }}: {{ $labels.container }} was started anew {{ $value | humanize }} times in half an hour",
        "kubectl logs --previous; out of memory is the usual reason: raise serving.memory",
    ),
    Alert(
        "GpuMemoryFull",
        f"{_GPU_MEMORY} > 0.95",
        15,
        "warning",
        "users",
        "GPU {{ $labels.gpu }} of {{ $labels.Hostname }}: {{ $value | humanizePercentage }} of its memory is used",
        "the next larger request fails: smaller batches, a shorter context, or one model fewer on it",
    ),
    Alert(
        "InputsDrifted",
        f'slipway_features_drifted_ratio{{against="reference"}} > {DRIFTED}',
        30,
        "warning",
        "insight",
        "{{ $labels.model }} v{{ $labels.version }}: {{ $value | humanizePercentage }} of its columns have drifted",
        "the world has changed since the model was first asked: look at its quality, retrain",
    ),
    Alert(
        "ModelUnsure",
        f"slipway_confidence_mean < {UNSURE}",
        30,
        "warning",
        "insight",
        "{{ $labels.model }} v{{ $labels.version }}: its mean confidence is {{ $value | humanizePercentage }}",
        "look at its drift, at its quality once labels are there",
    ),
    Alert(
        "ModelStale",
        f"time() - slipway_promoted_timestamp_seconds > {STALE} * 86400",
        60,
        "warning",
        "insight",
        "{{ $labels.model }}: users have had the same version for {{ $value | humanizeDuration }}",
        "retrain it, or say in its spec that nobody needs to",
    ),
    Alert(
        "GpuIdle",
        "avg_over_time(DCGM_FI_DEV_GPU_UTIL[6h]) < 5",
        60,
        "warning",
        "insight",
        "GPU {{ $labels.gpu }} of {{ $labels.Hostname }}: used for {{ $value | humanize }} % of six hours",
        "let the model scale to zero, or take it off the GPU: it costs the same idle",
    ),
)

SYSTEMS = (
    Alert(
        "GatewayDown",
        _down("gateway"),
        2,
        "critical",
        "users",
        "the gateway answers nobody: no model can be reached",
        "kubectl get pods in the gateway's namespace",
    ),
    Alert(
        "JudgeDown",
        _down("judge"),
        2,
        "critical",
        "delivery",
        "the judge is away: rollouts stand still, then are taken back",
        "kubectl logs -n slipway deployment/slipway-judge",
    ),
    Alert(
        "FlaggerDown",
        _down("flagger"),
        5,
        "critical",
        "delivery",
        "Flagger is away: no rollout moves; traffic stays as it is",
        "kubectl logs -n flagger-system deployment/flagger",
    ),
    Alert(
        "ObserveDown",
        _down("observe"),
        5,
        "warning",
        "delivery",
        "labels are not joined: quality is unknown, rollouts that wait for labels wait",
        "kubectl logs -n slipway deployment/slipway-observe",
    ),
    Alert(
        "RolloutRolledBack",
        f'increase({ROLLOUTS}{{outcome="rolled-back"}}[15m]) > 0',
        0,
        "critical",
        "delivery",
        "{{ $labels.model }}: a candidate was taken back; users have what they had before",
        "`slipway rollout rollback` writes it down; its incident report says which counts decided",
    ),
    Alert(
        "RolloutStuck",
        'label_replace(flagger_canary_status, "model", "$1", "name", "(.+)") == 0',
        180,
        "warning",
        "delivery",
        "{{ $labels.model }}: its rollout has gone on for three hours",
        "`slipway rollout status` says what it waits for: requests, labels, or a person",
    ),
)

ALERTS = (*MODELS, *SYSTEMS)
