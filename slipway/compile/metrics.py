"""The metrics of a rollout. Without a judge they decide it; with one they only show it to people.

A rollout halts when a metric is out of its range, when there is no data, or when the answer is not one number
(flagger pkg/metrics/providers/prometheus.go). With several series Flagger takes the last one, so every query here
aggregates to exactly one. A metric's type fixes the kind of its bound: an `AtMost` for a success rate is a type error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slipway import series
from slipway.compile.flagger import (
    Ceiling,
    Floor,
    MetricCheck,
    MetricProvider,
    MetricTemplate,
    MetricTemplateSpec,
    TemplateRef,
)
from slipway.compile.objects import Metadata
from slipway.models.spec import AtLeast, AtMost, ModelSpec
from slipway.objects import Object
from slipway.rollout.policy import LIMIT
from slipway.settings.environment import Environment

#: The judge returns an e-value; at its limit the evidence against a candidate suffices.
TOO_MUCH_EVIDENCE = AtMost(at_most=LIMIT)

_WINDOW = "[{{ interval }}]"


@dataclass(frozen=True)
class LowIsBad:
    """A metric with a floor."""

    name: str
    query: str

    def check(self, bound: AtLeast, interval: str) -> MetricCheck:
        """Return the check of a bound."""
        return _check(self.name, Floor(min=_number(bound.at_least)), interval)


@dataclass(frozen=True)
class HighIsBad:
    """A metric with a ceiling."""

    name: str
    query: str

    def check(self, bound: AtMost, interval: str) -> MetricCheck:
        """Return the check of a bound."""
        return _check(self.name, Ceiling(max=_number(bound.at_most)), interval)


def _asked(side: str) -> str:
    """Select users' requests to one side, by the Service through which Prometheus found the pod."""
    return f'namespace="{{{{ namespace }}}}",service="{{{{ target }}}}-{side}",{series.ASKED}'


def _success(side: str) -> str:
    """Return the query of a success rate in percent: no request at all is 0/0 or nothing, which fails.

    Only 2xx is a success, since a model whose schema broke answers 4xx.
    """
    return (
        f'100 * (sum(rate({series.REQUESTS}{{{_asked(side)},status_code=~"2.."}}{_WINDOW})) or vector(0))'
        f" / sum(rate({series.REQUESTS}{{{_asked(side)}}}{_WINDOW}))"
    )


def _quantile(quantile: float, side: str) -> str:
    return f"1000 * histogram_quantile({quantile}, sum by (le) (rate({series.LATENCY}{{{_asked(side)}}}{_WINDOW})))"


REQUESTS = LowIsBad("requests", f"sum(increase({series.REQUESTS}{{{_asked('canary')}}}{_WINDOW})) or vector(0)")
SUCCESS_RATE = LowIsBad("success-rate", _success("canary"))
LATENCY_P50 = HighIsBad("latency-p50", _quantile(0.5, "canary"))
LATENCY_P95 = HighIsBad("latency-p95", _quantile(0.95, "canary"))
LATENCY_P99 = HighIsBad("latency-p99", _quantile(0.99, "canary"))
#: Candidate minus primary at the same time, for people: a slow network affects both alike.
SUCCESS_RATE_GAP = LowIsBad("success-rate-gap", f"{_success('canary')} - {_success('primary')}")
LATENCY_P95_GAP = HighIsBad("latency-p95-gap", f"{_quantile(0.95, 'canary')} - {_quantile(0.95, 'primary')}")

#: The judge's request, in the place of a query: the rollout and its policy.
EVIDENCE = HighIsBad(
    "evidence", '{"namespace":"{{ namespace }}","model":"{{ target }}","policy":{{ variables.policy }}}'
)

_OF_MLSERVER = (REQUESTS, SUCCESS_RATE, LATENCY_P50, LATENCY_P95, LATENCY_P99, SUCCESS_RATE_GAP, LATENCY_P95_GAP)


def checks(spec: ModelSpec, interval: str) -> Iterator[MetricCheck]:
    """Yield the checks of a model's rollout.

    Args:
        interval: Length of the window; equal to the analysis's, so that no request from before the step counts.
    """
    objectives = spec.objectives
    yield REQUESTS.check(AtLeast(at_least=spec.rollout.min_requests_per_step), interval)
    yield SUCCESS_RATE.check(objectives.success_rate_percent, interval)
    yield LATENCY_P95.check(objectives.latency_p95_ms, interval)
    if objectives.latency_p99_ms is not None:
        yield LATENCY_P99.check(objectives.latency_p99_ms, interval)


def evidence(policy: str, interval: str) -> MetricCheck:
    """Return the check of the judge's finding.

    Args:
        policy: The judge's policy, as text.
        interval: The analysis's; the judge itself counts from the beginning of the rollout.
    """
    return EVIDENCE.check(TOO_MUCH_EVIDENCE, interval).model_copy(update={"template_variables": {"policy": policy}})


def compile_shared(environment: Environment) -> tuple[Object, ...]:
    """Return the MetricTemplates of an environment: of several stacks in one namespace, one has the layer `metrics`."""
    if "metrics" not in environment.layers:
        return ()
    templates = [_compiled(metric, environment.prometheus_url, environment.namespace) for metric in _OF_MLSERVER]
    if environment.judge_url is not None:
        templates.append(_compiled(EVIDENCE, environment.judge_url, environment.namespace))
    return tuple(templates)


def _compiled(metric: LowIsBad | HighIsBad, address: str, namespace: str) -> Object:
    return MetricTemplate(
        metadata=Metadata(name=_template(metric.name), namespace=namespace),
        spec=MetricTemplateSpec(provider=MetricProvider(address=address), query=metric.query),
    ).manifest()


def _check(name: str, threshold: Floor | Ceiling, interval: str) -> MetricCheck:
    return MetricCheck(
        name=name, interval=interval, template_ref=TemplateRef(name=_template(name)), threshold_range=threshold
    )


def _template(name: str) -> str:
    """Return a template's name, which names the source: the judge or MLServer's metrics."""
    return f"judge-{name}" if name == EVIDENCE.name else f"mlserver-{name}"


def _number(value: float) -> int | float:
    """Return 20 for 20.0, as the API server does."""
    return int(value) if value.is_integer() else value
