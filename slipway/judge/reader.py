"""The reader of a rollout's counters from Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from slipway import names
from slipway.clients.prometheus import Prometheus, Sample, Series
from slipway.judge.counts import Counts, Servers, count
from slipway.judge.run import Run
from slipway.judge.windows import Grid, grid
from slipway.rollout.policy import Policy
from slipway.series import INFER, LABELLED, LATENCY, REQUESTS, RIGHT


class Reader:
    """Reader of a rollout's counters; `read` and `servers` raise SlipwayError if Prometheus cannot be reached."""

    def __init__(self, prometheus: Prometheus) -> None:
        self.prometheus = prometheus

    def read(self, run: Run, policy: Policy, now: float) -> Counts:
        """Count a rollout from its start until now; before its start it has no windows."""
        if run.started is None:
            return Counts((), (), (), (), {})
        windows = grid(run.started, now, run.interval, run.since)
        served = (
            f'{{__name__=~"{REQUESTS}|{LATENCY}|up",{_pair(run)},'
            # `up` has no path.
            f'path=~"({INFER})?"}}'
        )
        labels: tuple[Series, ...] = ()
        if policy.correct_percent is not None or policy.min_labels:
            judged = f'{{__name__=~"{LABELLED}|{RIGHT}",namespace="{run.namespace}",model="{run.model}"}}'
            labels = (*self._at(judged, windows), *self._at('up{job="observe"}', windows))
        return count(run, policy, windows, self._at(served, windows), labels)

    def servers(self, run: Run, now: float) -> tuple[Servers, Servers]:
        """Return the servers of the candidate and of the stable version.

        A server that answered no scrape of the last interval is down; on a busy machine, some scrapes are late. One
        that never answered during the rollout is still starting. One that was not scraped at all is absent: an instant
        query would return its last sample for five minutes.
        """
        # A little longer than the interval, since scrapes may be as far apart as Flagger's checks.
        up, window = f"up{{{_pair(run)}}}", round(1250 * run.interval)
        run_ms = window + round(1000 * max(0.0, now - (run.started or now)))
        found = self.prometheus.query(
            f"max_over_time({up}[{window}ms]) and on(job,instance,service,pod) (max_over_time({up}[{run_ms}ms]) == 1)",
            now,
        )
        return _servers(found, names.canary(run.model), run.candidate), _servers(
            found, names.primary(run.model), run.stable
        )

    def _at(self, selector: str, windows: Grid) -> tuple[Series, ...]:
        """Read a selector at all ends of windows."""
        found = list(self.prometheus.query_range(selector, windows.start, windows.last, windows.step))
        for moment in windows.others:
            samples = self.prometheus.query(selector, moment)
            found += [Series(sample.labels, ((moment, sample.value),)) for sample in samples]
        points = dict[frozenset[tuple[str, str]], list[tuple[float, float]]]()
        for series in found:
            points.setdefault(frozenset(series.labels.items()), []).extend(series.points)
        return tuple(
            Series(dict(labels), tuple(sorted((round(at, 3), value) for at, value in each)))
            for labels, each in points.items()
        )


def _pair(run: Run) -> str:
    return f'namespace="{run.namespace}",service=~"{names.primary(run.model)}|{names.canary(run.model)}"'


def _servers(found: Iterable[Sample], service: str, version: str | None) -> Servers:
    side = {"service": service, "inferenceservice": version}
    of = [sample for sample in found if side.items() <= sample.labels.items()]
    down = sorted(sample.labels.get("pod", "") for sample in of if sample.value != 1)
    return Servers(len(of) - len(down), tuple(down))
