"""Alert definitions: query, duration, severity, impact and texts."""

from __future__ import annotations

from dataclasses import dataclass

from slipway.platform.tiers import Impact, Severity
from slipway.series import ROLLOUTS

#: Requests in five minutes below which a share says nothing; the judge has the same floor.
FEW = 20
#: Share of failures above every objective; at this share the judge rolls a candidate back (docs/judge.md).
FAILING = 0.2
#: Mean confidence below which a model is guessing; with two classes, 0.5 is chance.
UNSURE = 0.7
#: Share of columns whose distribution differs from the model's first requests.
DRIFTED = 0.5
#: Requests a day from which an hour without any is unusual.
BUSY = 1000
#: Age in days from which the users' version counts as old.
STALE = 90

_ASKED = f"slipway:model_requests:rate5m * 300 >= {FEW}"
_FAILED = "slipway:model_failures:rate5m / slipway:model_requests:rate5m"
_PREDICTOR = '{deployment=~".+-v[0-9]+-predictor"}'
_MODEL_OF_DEPLOYMENT = '"model", "$1", "deployment", "(.+)-v[0-9]+-predictor"'
_MODEL_OF_POD = '"model", "$1", "pod", "(.+)-v[0-9]+-predictor-.+"'
#: Commands of the texts; the reader knows the stack from the cluster that sent the alert.
_STATUS = "`slipway rollout status {{ $labels.model }} --stack <stack>`"
_ROLLBACK = "`slipway rollout rollback {{ $labels.model }} --stack <stack>`"
_GATEWAY = "`kubectl get pods -A -l app.kubernetes.io/name=traefik`"
GPU_MEMORY = "DCGM_FI_DEV_FB_USED / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE)"


@dataclass(frozen=True)
class Alert:
    """One alert.

    Args:
        query: PromQL; each series of the result is one alert.
        minutes: How long the condition must hold before the alert fires.
        summary: What happened, in one line; `{{ $labels.x }}` stands for a label, `{{ $value }}` for the number.
        then: What to do, with the command.
    """

    name: str
    query: str
    minutes: int
    severity: Severity
    impact: Impact
    summary: str
    then: str


def _down(job: str) -> str:
    """Return the query of a job without a running target; a missing target has no series."""
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
        "{{ $labels.model }}: no server has answered for two minutes, so users get errors",
        f"Run {_STATUS}, then `kubectl describe inferenceservice -n {{{{ $labels.namespace }}}}` with the name that it"
        f" shows. If a rollout has just ended, run {_ROLLBACK}.",
    ),
    Alert(
        "ModelFailing",
        f"{_FAILED} > {FAILING} and {_ASKED}",
        2,
        "critical",
        "users",
        "{{ $labels.model }}: {{ $value | humanizePercentage }} of the requests fail",
        f"Run {_STATUS}. If a rollout has just ended, run {_ROLLBACK}. Otherwise read the servers' logs:"
        " `kubectl logs -n {{ $labels.namespace }} -l slipway.dev/model={{ $labels.model }}`.",
    ),
    Alert(
        "ModelErrors",
        f"{_FAILED} > on (model) group_left (owner) slipway:objective_error_ratio and on (namespace, model) {_ASKED}",
        10,
        "warning",
        "users",
        "{{ $labels.model }}: {{ $value | humanizePercentage }} of the requests fail, more than its objective allows",
        f"The dashboard of the model shows which version fails, and since when. If that is a new one, run {_ROLLBACK}.",
    ),
    Alert(
        "ModelSlow",
        "histogram_quantile(0.95, sum by (namespace, model, le) (slipway:latency_seconds_bucket:rate5m))"
        f" > on (model) group_left (owner) slipway:objective_latency_p95_seconds and on (namespace, model) {_ASKED}",
        10,
        "warning",
        "users",
        "{{ $labels.model }}: 95 % of the answers take up to {{ $value | humanizeDuration }}, more than its objective"
        " allows",
        "The dashboard of the model shows whether all versions are slow. Raise serving.replicas, or release a faster"
        " version.",
    ),
    Alert(
        "ModelWrong",
        "slipway_quality_ratio < on (model) group_left (owner) slipway:objective_correct_ratio",
        15,
        "warning",
        "users",
        "{{ $labels.model }} v{{ $labels.version }}: {{ $value | humanizePercentage }} of the labelled answers are"
        " right, fewer than its objective asks for",
        f"Compare it with the version before it on the dashboard of the model. If that was better, run {_ROLLBACK};"
        " otherwise retrain it.",
    ),
    Alert(
        "ModelUnasked",
        f"slipway:model_requests:rate5m == 0 and avg_over_time(slipway:model_requests:rate5m[1d]) * 86400 > {BUSY}",
        60,
        "warning",
        "users",
        "{{ $labels.model }}: no request for an hour, on a day with more than a thousand",
        "Send it a request at its host. If it answers, its callers have stopped: ask their owners. If it does not, look"
        f" at the gateway: {_GATEWAY}.",
    ),
    Alert(
        "ModelReplicasMissing",
        f"label_replace(kube_deployment_status_replicas_available{_PREDICTOR}, {_MODEL_OF_DEPLOYMENT})"
        f" < label_replace(kube_deployment_spec_replicas{_PREDICTOR}, {_MODEL_OF_DEPLOYMENT})",
        10,
        "warning",
        "users",
        "{{ $labels.deployment }}: fewer replicas are available than wanted, only {{ $value }}",
        "Run `kubectl get events -n {{ $labels.namespace }}`. Usually no node has room, or an image cannot be pulled.",
    ),
    Alert(
        "ModelRestarts",
        "label_replace(increase(kube_pod_container_status_restarts_total"
        f'{{pod=~".+-v[0-9]+-predictor-.+"}}[30m]), {_MODEL_OF_POD}) > 3',
        0,
        "warning",
        "users",
        "{{ $labels.pod }}: {{ $labels.container }} restarted {{ $value | humanize }} times in half an hour",
        "Run `kubectl logs -n {{ $labels.namespace }} {{ $labels.pod }} -c {{ $labels.container }} --previous`. The"
        " usual reason is memory: raise serving.memory in the model's file.",
    ),
    Alert(
        "GpuMemoryFull",
        f"{GPU_MEMORY} > 0.95",
        15,
        "warning",
        "users",
        "GPU {{ $labels.gpu }} of {{ $labels.Hostname }}: {{ $value | humanizePercentage }} of its memory is used",
        "The next larger request can fail. Send smaller batches, lower llm.context_tokens, or move a model to"
        " another GPU.",
    ),
    Alert(
        "InputsDrifted",
        f'slipway_features_drifted_ratio{{against="reference"}} > {DRIFTED}',
        30,
        "warning",
        "insight",
        "{{ $labels.model }} v{{ $labels.version }}: {{ $value | humanizePercentage }} of its columns have drifted",
        "Its inputs have changed since users got it. Look at its quality on the dashboard of the model; if that falls,"
        " retrain it.",
    ),
    Alert(
        "ModelUnsure",
        f"slipway_confidence_mean < {UNSURE}",
        30,
        "warning",
        "insight",
        "{{ $labels.model }} v{{ $labels.version }}: its mean confidence is {{ $value | humanizePercentage }}",
        "Look at its drift on the dashboard of the model, and at its quality once labels have arrived.",
    ),
    Alert(
        "ModelStale",
        f"time() - slipway_promoted_timestamp_seconds > {STALE} * 86400",
        60,
        "warning",
        "insight",
        "{{ $labels.model }}: users have had the same version for {{ $value | humanizeDuration }}",
        "Retrain it. If its quality is as good as ever, silence this alert in Alertmanager instead.",
    ),
    Alert(
        "GpuIdle",
        "avg_over_time(DCGM_FI_DEV_GPU_UTIL[6h]) < 5",
        60,
        "warning",
        "insight",
        "GPU {{ $labels.gpu }} of {{ $labels.Hostname }}: used for {{ $value | humanize }} % in the last six hours",
        "An idle GPU costs as much as a busy one. Lower serving.gpus or serving.replicas of its model.",
    ),
)

SYSTEMS = (
    Alert(
        "GatewayDown",
        _down("gateway"),
        2,
        "critical",
        "users",
        "the gateway does not answer, so no model can be reached",
        f"Run {_GATEWAY}, then `kubectl describe` and `kubectl logs` of the pods that are not ready.",
    ),
    Alert(
        "JudgeDown",
        _down("judge"),
        2,
        "critical",
        "delivery",
        "the judge does not answer: rollouts stand still, and are then taken back",
        "Run `kubectl logs -n slipway deployment/slipway-judge`. Users are served as before. Once it answers, try a"
        " rollout that was taken back again: `slipway rollout retry <model> --stack <stack>`.",
    ),
    Alert(
        "FlaggerDown",
        _down("flagger"),
        5,
        "critical",
        "delivery",
        "Flagger does not answer: no rollout moves, and traffic stays as it is",
        "Run `kubectl logs -n flagger-system deployment/flagger`. Rollouts go on by themselves once it is back.",
    ),
    Alert(
        "ObserveDown",
        _down("observe"),
        5,
        "warning",
        "delivery",
        "observe does not answer: quality is unknown, rollouts that need labels stand still",
        "Run `kubectl logs -n slipway deployment/slipway-observe`. Users are served as before.",
    ),
    Alert(
        "RolloutRolledBack",
        f'increase({ROLLOUTS}{{outcome="rolled-back"}}[15m]) > 0',
        0,
        "critical",
        "delivery",
        "{{ $labels.model }}: a candidate was taken back; users have the version from before",
        f"Users are served. Run {_ROLLBACK}: it rejects the candidate, and its incident report says what decided.",
    ),
    Alert(
        "RolloutStuck",
        'label_replace(flagger_canary_status, "model", "$1", "name", "(.+)") == 0',
        180,
        "warning",
        "delivery",
        "{{ $labels.model }}: its rollout has gone on for three hours",
        f"Run {_STATUS}: it says what the rollout waits for: requests, labels or an operator.",
    ),
)

ALERTS = (*MODELS, *SYSTEMS)
