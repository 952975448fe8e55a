"""The measurements that decide a rollout.

A rollout halts when a measurement is out of its range, when there is no data, or when the answer is not one number
(flagger pkg/metrics/providers/prometheus.go). With several series Flagger takes the last one, so every query here
aggregates to exactly one. The kind of a metric says which side is bad: an `AtMost` for a success rate is a type error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slipway.compile.objects import (
    Ceiling,
    Floor,
    Metadata,
    MetricCheck,
    MetricProvider,
    MetricTemplate,
    MetricTemplateSpec,
    Object,
    TemplateRef,
)
from slipway.environment import Environment
from slipway.model_spec import AtLeast, AtMost, ModelSpec

#: MLServer's own histogram ends there (prometheus_client Histogram.DEFAULT_BUCKETS): a quantile is never above it.
LARGEST_LATENCY_MS = 10_000.0

#: What users ask of the candidate, by the Service that the scrape found the pod through (MLServer
#: mlserver/rest/app.py names the metrics). 2xx is good, not "not 5xx": a model whose schema broke answers 4xx.
_ASKED = 'namespace="{{ namespace }}",service="{{ target }}-canary",path=~"/v2/models/.+/infer"'
_REQUESTS = "rest_server_requests_total"
_LATENCY = "rest_server_request_duration_seconds_bucket"
_WINDOW = "[{{ interval }}]"


@dataclass(frozen=True)
class LowIsBad:
    """A metric with a floor."""

    name: str
    query: str

    def check(self, bound: AtLeast, interval: str) -> MetricCheck:
        """Hold the metric to a bound."""
        return _check(self.name, Floor(min=_number(bound.at_least)), interval)


@dataclass(frozen=True)
class HighIsBad:
    """A metric with a ceiling."""

    name: str
    query: str

    def check(self, bound: AtMost, interval: str) -> MetricCheck:
        """Hold the metric to a bound."""
        return _check(self.name, Ceiling(max=_number(bound.at_most)), interval)


def _quantile(quantile: float) -> str:
    return f"1000 * histogram_quantile({quantile}, sum by (le) (rate({_LATENCY}{{{_ASKED}}}{_WINDOW})))"


REQUESTS = LowIsBad("requests", f"sum(increase({_REQUESTS}{{{_ASKED}}}{_WINDOW})) or vector(0)")
#: No request at all is 0/0 or nothing, which fails; none good is 0.
SUCCESS_RATE = LowIsBad(
    "success-rate",
    f'100 * (sum(rate({_REQUESTS}{{{_ASKED},status_code=~"2.."}}{_WINDOW})) or vector(0))'
    f" / sum(rate({_REQUESTS}{{{_ASKED}}}{_WINDOW}))",
)
LATENCY_P95 = HighIsBad("latency-p95", _quantile(0.95))
LATENCY_P99 = HighIsBad("latency-p99", _quantile(0.99))


def checks(spec: ModelSpec, interval: str) -> Iterator[MetricCheck]:
    """Yield what a rollout of a model is held to.

    Args:
        spec: The model.
        interval: Length of the window; equal to the analysis's, so that it holds no pod from before the step.
    """
    objectives = spec.objectives
    yield REQUESTS.check(AtLeast(at_least=spec.rollout.min_requests_per_step), interval)
    yield SUCCESS_RATE.check(objectives.success_rate_percent, interval)
    yield LATENCY_P95.check(objectives.latency_p95_ms, interval)
    if objectives.latency_p99_ms is not None:
        yield LATENCY_P99.check(objectives.latency_p99_ms, interval)


def compile_shared(environment: Environment) -> tuple[Object, ...]:
    """Return the MetricTemplates of an environment."""
    provider = MetricProvider(address=environment.prometheus_url)
    return tuple(
        MetricTemplate(
            metadata=Metadata(name=_template(metric.name), namespace=environment.namespace),
            spec=MetricTemplateSpec(provider=provider, query=metric.query),
        ).manifest()
        for metric in (REQUESTS, SUCCESS_RATE, LATENCY_P95, LATENCY_P99)
    )


def _check(name: str, threshold: Floor | Ceiling, interval: str) -> MetricCheck:
    return MetricCheck(
        name=name, interval=interval, template_ref=TemplateRef(name=_template(name)), threshold_range=threshold
    )


def _template(name: str) -> str:
    """The queries are MLServer's, so the templates say so."""
    return f"mlserver-{name}"


def _number(value: float) -> int | float:
    """Write 20, not 20.0: what the API server gives back."""
    return int(value) if value.is_integer() else value
