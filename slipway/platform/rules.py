"""Prometheus' rules: recorded series, objectives of models, alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from slipway.models.spec import ModelSpec
from slipway.objects import Object
from slipway.platform.alerts import ALERTS, Alert
from slipway.platform.tiers import tier
from slipway.series import ASKED, LATENCY, REQUESTS, ROLLOUTS
from slipway.settings.monitoring import Tier

#: Outside a rollout both Services of a pair select the same pods, which are scraped twice: each pod counts once.
_ONCE = (
    "sum by (namespace, model, inferenceservice, {by}) (max by (namespace, model, inferenceservice, pod, {by}) ("
    f'label_replace(rate({{series}}{{{{job="models",{ASKED}}}}}[5m]),'
    ' "model", "$1", "service", "(.+)-(primary|canary)")))'
)
#: Window of the delivery measures: four weeks have the same number of each weekday.
WINDOW = "28d"

RECORDED = {
    "slipway:requests:rate5m": _ONCE.format(by="status_code", series=REQUESTS),
    "slipway:latency_seconds_bucket:rate5m": _ONCE.format(by="le", series=LATENCY),
    "slipway:model_requests:rate5m": "sum by (namespace, model) (slipway:requests:rate5m)",
    # 2xx is good, not "not 5xx": a model whose schema broke answers 4xx. None failed is 0, not nothing.
    "slipway:model_failures:rate5m": 'sum by (namespace, model) (slipway:requests:rate5m{status_code!~"2.."})'
    " or 0 * slipway:model_requests:rate5m",
    # The six measures of delivery, over all models.
    "slipway:deployments_per_day": f'sum(increase({ROLLOUTS}{{outcome="promoted"}}[{WINDOW}])) / 28',
    "slipway:lead_time_seconds": f"sum(increase(slipway_promotion_seconds_sum[{WINDOW}]))"
    f" / sum(increase(slipway_promotion_seconds_count[{WINDOW}]))",
    "slipway:change_failure_ratio": f'sum(increase({ROLLOUTS}{{outcome!="promoted"}}[{WINDOW}]))'
    f" / sum(increase({ROLLOUTS}[{WINDOW}]))",
    "slipway:recovery_seconds": f"sum(increase(slipway_recovery_seconds_sum[{WINDOW}]))"
    f" / sum(increase(slipway_recovery_seconds_count[{WINDOW}]))",
    "slipway:model_age_seconds": "time() - slipway_promoted_timestamp_seconds",
    "slipway:automation_ratio": f'sum(increase(slipway_delivery_steps_total{{by="machine"}}[{WINDOW}]))'
    f" / sum(increase(slipway_delivery_steps_total[{WINDOW}]))",
}


def rules(models: Sequence[ModelSpec], highest: Tier) -> Object:
    """Return the rule file: objectives of the models, and alerts of at most the highest tier."""
    recorded = [{"record": name, "expr": query} for name, query in RECORDED.items()]
    alerting = [_alert(alert, highest) for alert in ALERTS]
    groups = {"slipway": recorded, "objectives": list(_objectives(models)), "alerts": alerting}
    return {"groups": [{"name": name, "rules": found} for name, found in groups.items() if found]}


def _objectives(models: Sequence[ModelSpec]) -> Iterator[Object]:
    for model in models:
        promised = model.objectives
        yield _objective(model, "error_ratio", 1 - promised.success_rate_percent.at_least / 100)
        yield _objective(model, "latency_p95_seconds", promised.latency_p95_ms.at_most / 1000)
        if promised.correct_percent is not None:
            yield _objective(model, "correct_ratio", promised.correct_percent.at_least / 100)


def _objective(model: ModelSpec, what: str, bound: float) -> Object:
    labels = {"model": model.name, "owner": model.owner}
    # Ten digits: 1 - 0.99 is not 0.01 in binary.
    return {"record": f"slipway:objective_{what}", "expr": f"vector({bound:.10g})", "labels": labels}


def _alert(alert: Alert, highest: Tier) -> Object:
    labels = {"severity": alert.severity, "impact": alert.impact, "tier": tier(alert.severity, alert.impact, highest)}
    made = {"alert": alert.name, "expr": alert.query, "for": f"{alert.minutes}m", "labels": labels}
    return {**made, "annotations": {"summary": alert.summary, "then": alert.then}}
