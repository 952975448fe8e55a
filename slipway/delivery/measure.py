"""Measurements of both sides of a rollout, interval by interval, from Prometheus.

Requests are differences of counters, so they are whole numbers that add up; `increase` would extrapolate. A side is
identified by the Service through which a pod was scraped and by the pod's InferenceService, because outside a rollout
both Services select the same pods.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slipway import names
from slipway.clients.prometheus import Prometheus, Sample, Series, growth
from slipway.delivery.record import Measured
from slipway.series import ASKED, EVIDENCE, LABELLED, LATENCY, REQUESTS, RIGHT

#: Quantiles, as Prometheus writes them.
QUANTILES = ("0.5", "0.95", "0.99")
#: Seconds until the lab has scraped the judge's value of a tick. With longer scrape intervals a point may show the
#: value of the previous tick.
SCRAPED = 2
#: A label that no metric has: the quantile, in an answer with several.
_Q = "q"

Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Side:
    """One side of a rollout: the pods of an InferenceService behind one of the pair's Services."""

    service: str
    inference_service: str
    version: int


@dataclass(frozen=True)
class Readings:
    """Answers of Prometheus about one rollout.

    Args:
        grid: Moments in seconds since the epoch, evenly spaced except for the last.
        base: Counters of requests at the start of the rollout.
        counts: Counters of requests by service, inferenceservice, pod, status_code.
        latencies: Quantiles over the previous interval, in milliseconds.
        labels: Counters of labelled and of right predictions, by version.
        flagger: Weight and evidence.
    """

    grid: tuple[float, ...]
    base: tuple[Sample, ...] = ()
    counts: tuple[Series, ...] = ()
    latencies: tuple[Series, ...] = ()
    labels: tuple[Series, ...] = ()
    flagger: tuple[Series, ...] = ()


def read(prometheus: Prometheus, namespace: str, model: str, grid: tuple[float, ...], interval: float) -> Readings:
    """Query all measurements of a model on a grid of moments.

    Raises:
        SlipwayError: Prometheus cannot be reached.
    """
    pair = f"{names.primary(model)}|{names.canary(model)}"
    asked = f'namespace="{namespace}",service=~"{pair}",{ASKED}'
    window = f"[{max(1, round(interval))}s]"
    by = "service,inferenceservice,pod,status_code"
    counter = f"{REQUESTS}{{{asked}}}"
    histogram = f"{LATENCY}{{{asked}}}"
    buckets = f"sum by (service,inferenceservice,le) (rate({histogram}{window}))"
    quantiles = " or ".join(
        f'label_replace(1000 * histogram_quantile({q}, {buckets}), "{_Q}", "{q}", "", "")' for q in QUANTILES
    )
    labels = f'{{__name__=~"{LABELLED}|{RIGHT}",namespace="{namespace}",model="{model}"}}'
    flagger = (
        f'flagger_canary_weight{{workload="{model}",namespace="{namespace}"}}'
        f' or flagger_canary_metric_analysis{{name="{model}",namespace="{namespace}",metric="evidence"}}'
        # The judge's value of this very tick, which only the next scrape sees.
        f' or {EVIDENCE}{{namespace="{namespace}",model="{model}"}} offset -{SCRAPED}s'
    )

    def ask(expression: str) -> tuple[Series, ...]:
        even = grid if len(grid) < 2 or abs(grid[-1] - grid[-2] - interval) < 0.01 else grid[:-1]
        found = prometheus.query_range(expression, even[0], even[-1], interval)
        if even is grid:
            return found
        return joined(found, prometheus.query(expression, grid[-1]), grid[-1])

    first = grid[1] if len(grid) > 1 else grid[0]
    return Readings(
        grid,
        prometheus.query(f"sum by ({by}) (min_over_time({counter}{window}))", first),
        ask(f"sum by ({by}) ({counter})"),
        ask(quantiles),
        ask(labels),
        ask(flagger),
    )


def joined(series: Sequence[Series], last: Sequence[Sample], at: float) -> tuple[Series, ...]:
    """Return series with the values of one more moment."""
    values = {_key(sample.labels): sample for sample in last}
    known = {_key(each.labels): each for each in series}
    return tuple(
        Series(
            (known.get(key) or values[key]).labels,
            (*(known[key].points if key in known else ()), *(((at, values[key].value),) if key in values else ())),
        )
        for key in dict.fromkeys([*known, *values])
    )


def moments(start: float, end: float, interval: float, *, whole: bool) -> tuple[float, ...]:
    """Return the moments of a rollout's points, in seconds since the epoch, `interval` seconds apart.

    Args:
        whole: Whether the last interval is a whole one that may go past `end`; otherwise it stops there.
    """
    steps = (end - start) / interval
    count = math.ceil(steps) if whole else math.floor(steps)
    grid = [start + interval * step for step in range(count + 1)]
    if not whole and end - grid[-1] >= 1:
        grid.append(end)
    return tuple(grid)


def measured(readings: Readings, side: Side) -> list[Measured]:
    """Return the measurements of one side by interval: one entry for each moment but the first."""
    count = len(readings.grid) - 1
    requests, failed = [0] * count, [0] * count
    base = {_key(sample.labels): sample.value for sample in readings.base}
    for series in _of(readings.counts, side):
        good = series.labels.get("status_code", "").startswith("2")
        for index, more in enumerate(differences(series, readings.grid, base.get(_key(series.labels), 0.0))):
            requests[index] += more
            failed[index] += 0 if good else more
    labelled, right = (_labels(readings, name, side.version, count) for name in (LABELLED, RIGHT))
    quantiles = {series.labels.get(_Q): _at(series, readings.grid) for series in _of(readings.latencies, side)}

    def latency(quantile: str, index: int) -> float | None:
        value = quantiles.get(quantile, {}).get(index + 1)
        return round(value, 1) if value is not None and requests[index] else None

    return [
        Measured(
            requests=requests[index],
            failed=failed[index],
            latency_p50_ms=latency("0.5", index),
            latency_p95_ms=latency("0.95", index),
            latency_p99_ms=latency("0.99", index),
            labelled=labelled[index],
            right=right[index],
        )
        for index in range(count)
    ]


def differences(series: Series, grid: Sequence[float], base: float) -> list[int]:
    """Return the growth of a counter in each interval; a counter that fell was reset to zero."""
    values, before, found = _at(series, grid), base, []
    for index in range(1, len(grid)):
        value = values.get(index)
        if value is None:
            found.append(0)
            continue
        found.append(round(growth(before, value)))
        before = value
    return found


def weights(readings: Readings) -> list[int | None]:
    """Return the candidate's percentage at each moment."""
    return [None if value is None else round(value) for value in _flagger(readings, "flagger_canary_weight")]


def evidences(readings: Readings) -> list[float | None]:
    """Return the judge's e-value at each moment at which the candidate had traffic, else None."""
    judged, checked = (_flagger(readings, metric) for metric in (EVIDENCE, "flagger_canary_metric_analysis"))
    found, before = list[float | None](), 0
    for weight, own, heard in zip(weights(readings), judged, checked, strict=True):
        now = before if weight is None else weight
        # When Flagger gives the first weight it has no value yet, but the judge has.
        found.append(own if own is not None and (now or before) else heard if before else None)
        before = now
    return found


def versions(readings: Readings, model: str) -> dict[str, set[int]]:
    """Return the versions that were scraped behind each Service of the pair."""
    found: dict[str, set[int]] = {}
    for series in readings.counts:
        version = names.version_in(series.labels.get("inferenceservice", ""), model)
        if version is not None and series.points:
            found.setdefault(series.labels.get("service", ""), set()).add(version)
    return found


def _labels(readings: Readings, metric: str, version: int, count: int) -> list[int]:
    for series in readings.labels:
        if series.labels.get("__name__") == metric and series.labels.get("version") == str(version):
            return differences(series, readings.grid, _at(series, readings.grid).get(0, 0.0))
    return [0] * count


def _flagger(readings: Readings, metric: str) -> list[float | None]:
    found: list[float | None] = [None] * len(readings.grid)
    for series in readings.flagger:
        if series.labels.get("__name__") == metric:
            for index, value in _at(series, readings.grid).items():
                found[index] = value
    return found


def _of(series: Sequence[Series], side: Side) -> list[Series]:
    wanted = (side.service, side.inference_service)
    return [each for each in series if (each.labels.get("service"), each.labels.get("inferenceservice")) == wanted]


def _at(series: Series, grid: Sequence[float]) -> Mapping[int, float]:
    """Return the values by the index of their moment, without NaN."""
    places = {round(at, 2): index for index, at in enumerate(grid)}
    return {
        places[round(at, 2)]: value for at, value in series.points if round(at, 2) in places and not math.isnan(value)
    }


def _key(labels: Mapping[str, str]) -> Key:
    return tuple(sorted((name, value) for name, value in labels.items()))
