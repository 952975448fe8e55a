"""Counts of requests per window, read from Prometheus' counters.

PromQL's `increase` extrapolates, so its counts are not whole numbers. Differences of the counters at the ends of the
windows are exact.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

from slipway import names
from slipway.clients.prometheus import Sample, Series, growth
from slipway.errors import SlipwayError
from slipway.judge.run import Run
from slipway.judge.windows import Grid
from slipway.rollout.policy import Policy
from slipway.series import LABELLED, LATENCY, REQUESTS, RIGHT

#: Labels that identify a scraped target, in its series and in its `up`.
_TARGET = ("job", "instance", "service", "pod")


@dataclass(frozen=True)
class Tally:
    """Counts of one side in one window; `slow_…` are those of `timed` above the objective's bucket edge."""

    requests: int = 0
    failed: int = 0
    timed: int = 0
    slow_p95: int = 0
    slow_p99: int = 0
    labelled: int = 0
    right: int = 0

    @property
    def wrong(self) -> int:
        """Number of wrong labelled answers."""
        return max(0, self.labelled - self.right)


@dataclass(frozen=True)
class Counts:
    """Counts of both sides over the same windows."""

    #: Ends of the windows, seconds since the epoch; window i goes from times[i] to times[i + 1].
    times: tuple[float, ...]
    #: Those of the times that bound the windows of the evidence.
    judged: tuple[float, ...]
    #: One tally for each window.
    canary: tuple[Tally, ...]
    primary: tuple[Tally, ...]
    #: Name of a latency objective to the bucket edge that stands for it, in seconds.
    edges: Mapping[str, float]
    #: The candidate's servers that restarted in one of the last two windows.
    restarted: tuple[str, ...] = ()

    def since(self, moment: float) -> tuple[Tally, Tally]:
        """Return the sums of the windows that begin at or after a moment: canary, primary."""
        return self._between(moment - 1e-3, math.inf)

    def pairs(self) -> tuple[tuple[Tally, Tally], ...]:
        """Return the counts of each judged window: canary, primary."""
        return tuple(self._between(begin, end) for begin, end in pairwise(self.judged))

    def _between(self, begin: float, end: float) -> tuple[Tally, Tally]:
        first, last = bisect_left(self.times, begin), bisect_left(self.times, end)
        return total(self.canary[first:last]), total(self.primary[first:last])


@dataclass(frozen=True)
class Servers:
    """Servers of one side: how many answer Prometheus, and which do not."""

    up: int
    down: tuple[str, ...] = ()


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of tallies."""
    found = list(tallies)
    return Tally(**{field.name: sum(getattr(tally, field.name) for tally in found) for field in fields(Tally)})


def increases(series: Series, scraped: Mapping[tuple[str, ...], float], times: Sequence[float]) -> list[int]:
    """Return the growth of a counter in each window.

    A counter that falls has been reset, so it counts from 0. One that appears late counts from 0 where its target had
    been scraped before without it. Otherwise its age is unknown, and its first value says nothing about the window:
    after a retry of a candidate, or a late start of Prometheus.

    Args:
        series: The counter; points outside `times` are ignored.
        scraped: Target to the first moment at which it was up.
        times: Ends of the windows.
    """
    values, since = dict(series.points), scraped.get(target(series.labels), math.inf)
    last = values.get(times[0]) if times else None
    grown = []
    for begin, end in pairwise(times):
        value = values.get(end)
        if value is None:
            grown.append(0)
            continue
        if last is None:
            last = 0.0 if since <= begin else value
        grown.append(round(growth(last, value)))
        last = value
    return grown


def target(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the target that a series was scraped from."""
    return tuple(labels.get(name, "") for name in _TARGET)


def first_scraped(ups: Iterable[Series]) -> dict[tuple[str, ...], float]:
    """Return the time of the first successful scrape of each target."""
    found = dict[tuple[str, ...], float]()
    for series in ups:
        moments = [at for at, value in series.points if value == 1]
        if moments:
            key = target(series.labels)
            found[key] = min(moments[0], found.get(key, math.inf))
    return found


def bucket_edge(objective_ms: float, *sides: Iterable[Series]) -> float | None:
    """Return the edge, in seconds, of the bucket that ends nearest at or above an objective; None before any request.

    Raises:
        SlipwayError: There are buckets, but they end below the objective.
    """
    edges = [{float(series.labels["le"]) for series in side} for side in sides]
    known = [found for found in edges if found]
    if not known:
        return None
    # Only an edge that all sides have: at another edge, every request of a side would seem slow.
    shared = [edge for edge in set.intersection(*known) if objective_ms / 1000 <= edge < math.inf]
    if not shared:
        raise SlipwayError(
            f"{LATENCY}: no bucket ends at or above the objective of {objective_ms:g} ms; lower the objective"
        )
    return min(shared)


def count(run: Run, policy: Policy, windows: Grid, found: Sequence[Series], labels: Sequence[Series]) -> Counts:
    """Count both sides of a rollout.

    Args:
        run: The rollout.
        policy: Has the latency objectives.
        windows: Ends of the windows.
        found: Requests, latency buckets and `up` of all pods behind the canary and primary Services.
        labels: Labelled and right predictions, and `up` of the observer.
    """
    times = windows.times
    scraped = first_scraped(series for series in [*found, *labels] if _is(series, "up"))
    sides = [
        [series for series in found if series.labels.get("service") == service and _of(series) == version]
        for service, version in ((names.canary(run.model), run.candidate), (names.primary(run.model), run.stable))
    ]
    buckets = [[series for series in side if _is(series, LATENCY)] for side in sides]
    edges = dict[str, float]()
    for name, objective in (("p95", policy.latency_p95_ms), ("p99", policy.latency_p99_ms)):
        if objective is not None and (edge := bucket_edge(objective, *buckets)) is not None:
            edges[name] = edge
    versions = (run.candidate_version, run.stable_version)
    tallies = [
        _tallies(side, [each for each in labels if each.labels.get("version") == str(version)], scraped, times, edges)
        for side, version in zip(sides, versions, strict=True)
    ]
    return Counts(times, windows.judged, tallies[0], tallies[1], edges, _restarted(sides[0], times))


def _tallies(
    side: Sequence[Series],
    labels: Sequence[Series],
    scraped: Mapping[tuple[str, ...], float],
    times: Sequence[float],
    edges: Mapping[str, float],
) -> tuple[Tally, ...]:
    def summed(chosen: Iterable[Series]) -> list[int]:
        rows = [increases(series, scraped, times) for series in chosen]
        return [sum(column) for column in zip(*rows, strict=True)] if rows else [0] * max(0, len(times) - 1)

    def bucket(edge: float) -> list[int]:
        return summed(each for each in side if _is(each, LATENCY) and float(each.labels["le"]) == edge)

    def slow(name: str) -> list[int]:
        if name not in edges:
            return [0] * len(timed)
        return [max(0, every - fast) for every, fast in zip(timed, bucket(edges[name]), strict=True)]

    asked = [series for series in side if _is(series, REQUESTS)]
    timed = bucket(math.inf)
    columns = (
        summed(asked),
        # Only 2xx is good: a model with a broken schema answers 4xx.
        summed(series for series in asked if not series.labels.get("status_code", "").startswith("2")),
        timed,
        slow("p95"),
        slow("p99"),
        summed(series for series in labels if _is(series, LABELLED)),
        summed(series for series in labels if _is(series, RIGHT)),
    )
    return tuple(Tally(*row) for row in zip(*columns, strict=True))


def _restarted(side: Sequence[Series], times: Sequence[float]) -> tuple[str, ...]:
    ups = {target(series.labels): dict(series.points) for series in side if _is(series, "up")}
    found = set[str]()
    for series in side:
        up = ups.get(target(series.labels), {})
        if not _is(series, "up") and set(times[-3:]) & restarts(series, up, times):
            found.add(series.labels.get("pod", ""))
    return tuple(sorted(found))


def restarts(series: Series, up: Mapping[float, float], times: Iterable[float]) -> set[float]:
    """Return the times at which a restart of a counter's server is first seen.

    The counter then falls, or is missing until the first request although its server answers the scrape.
    """
    values, found = dict(series.points), set[float]()
    last: float | None = None
    for at in times:
        value = values.get(at)
        if last is not None and (value < last if value is not None else up.get(at) == 1):
            found.add(at)
            last = None
        last = last if value is None else value
    return found


def _is(series: Series | Sample, name: str) -> bool:
    return series.labels.get("__name__") == name


def _of(series: Series | Sample) -> str | None:
    return series.labels.get("inferenceservice")
