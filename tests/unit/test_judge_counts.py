"""From Prometheus' counters to whole numbers per window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from judging import POLICY, RUN, START

from slipway.clients.prometheus import Sample, Series
from slipway.errors import SlipwayError
from slipway.judge.counts import bucket_edge, count, first_scraped, increases, restarts
from slipway.judge.reader import Reader
from slipway.judge.windows import MAX_WINDOWS, grid

TIMES = (0.0, 10.0, 20.0, 30.0)
POD = {"job": "models", "instance": "10.0.0.1:8082", "service": "churn-canary", "pod": "churn-v2-abc"}


def series(*values: float | None, at: Sequence[float] = TIMES, **labels: str) -> Series:
    points = tuple((moment, value) for moment, value in zip(at, values, strict=True) if value is not None)
    return Series({**POD, **labels}, points)


def grown(*values: float | None, up: tuple[float | None, ...] = (1, 1, 1, 1)) -> list[int]:
    return increases(series(*values), first_scraped([series(*up)]), TIMES)


@pytest.mark.parametrize(
    ("values", "up", "expected"),
    [
        pytest.param((100, 120, 120, 150), (1, 1, 1, 1), [20, 0, 30], id="differences are exact"),
        pytest.param((100, 120, 5, 9), (1, 1, 1, 1), [20, 5, 4], id="a server started anew counts from 0"),
        pytest.param((None, None, 7, 9), (1, 1, 1, 1), [0, 7, 2], id="a late label set of a known pod counts from 0"),
        pytest.param((None, 500, 510, 520), (None, 1, 1, 1), [0, 10, 10], id="an earlier run is not charged"),
        pytest.param((None, None, 9000, 9010), (None, None, 1, 1), [0, 0, 10], id="a late Prometheus invents no burst"),
        pytest.param((100, None, None, 160), (1, 0, 0, 1), [0, 0, 60], id="what a gap hid is counted after it"),
        pytest.param((100, None, 20, 30), (1, 0, 1, 1), [0, 20, 10], id="a crash is no gap"),
        pytest.param((None, None, 8, 9), (0, 0, 1, 1), [0, 0, 1], id="failed scrapes know nothing"),
        pytest.param((None, None, None, None), (1, 1, 1, 1), [0, 0, 0], id="nothing is nothing"),
    ],
)
def test_a_counter_grows_by(
    values: tuple[float | None, ...], up: tuple[float | None, ...], expected: list[int]
) -> None:
    assert grown(*values, up=up) == expected


def test_windows_are_ticks_from_the_start_until_now() -> None:
    found = grid(START, START + 31.5, 10, START + 12)
    assert found.times == tuple(START + at for at in (0, 10, 12, 20, 30, 31.5))
    # The last has just begun: it is judged when it is over.
    assert found.judged == tuple(START + at for at in (0, 10, 20, 30))


def test_a_window_that_is_all_but_over_is_judged() -> None:
    assert grid(START, START + 29.6, 10, START).judged == tuple(START + at for at in (0, 10, 20, 29.6))


def test_a_weight_older_than_the_run_and_a_clock_that_is_behind_are_no_window() -> None:
    assert grid(START, START - 3, 10, START - 20).times == (START,)


def test_a_run_of_a_week_is_looked_at_in_longer_windows() -> None:
    found = grid(START, START + 7 * 86400, 10, START)
    assert len(found.times) <= MAX_WINDOWS + 2
    assert (found.step / 10) % 2 == 0


def test_the_edge_is_the_nearest_at_or_above_the_objective_that_both_sides_have() -> None:
    mine = [series(0, 0, 0, 0, le=le) for le in ("0.1", "0.25", "0.5", "+Inf")]
    other = [series(0, 0, 0, 0, le=le) for le in ("0.1", "0.5", "+Inf")]
    assert bucket_edge(250, mine) == 0.25
    assert bucket_edge(101, mine) == 0.25
    assert bucket_edge(250, mine, other) == 0.5
    assert bucket_edge(250, [], []) is None
    with pytest.raises(SlipwayError, match="no bucket ends at or above the objective of 900 ms; lower the objective"):
        bucket_edge(900, mine)


def servers(name: str, *values: float | None, service: str, version: int, **labels: str) -> Series:
    of = {"__name__": name, "service": service, "pod": f"v{version}", "inferenceservice": f"churn-v{version}"}
    return series(*values, at=[START + at for at in TIMES], **of, **labels)


def test_sides_are_told_by_service_with_version_and_every_answer_but_2xx_failed() -> None:
    bucket, asked = "rest_server_request_duration_seconds_bucket", "rest_server_requests_total"
    found = [
        *(
            servers("up", 1, 1, 1, 1, service=f"churn-{side}", version=v)
            for side in ("canary", "primary")
            for v in (1, 2)
        ),
        servers(asked, 0, 50, 90, 120, service="churn-canary", version=2, status_code="200"),
        servers(asked, None, None, 4, 6, service="churn-canary", version=2, status_code="422"),
        servers(asked, 0, 100, 200, 300, service="churn-primary", version=1, status_code="200"),
        # Both Services select the stable pods between rollouts: they are scraped twice.
        servers(asked, 0, 100, 200, 300, service="churn-canary", version=1, status_code="200"),
        servers(bucket, 0, 40, 80, 100, service="churn-canary", version=2, le="0.25"),
        servers(bucket, 0, 50, 94, 126, service="churn-canary", version=2, le="+Inf"),
    ]
    labels = {"job": "observe", "instance": "observe", "service": "", "pod": "", "model": "churn", "version": "2"}
    at = [START + moment for moment in TIMES]
    judged = [
        series(1, 1, 1, 1, at=at, **{**labels, "__name__": "up", "version": ""}),
        series(None, 10, 20, 30, at=at, **{**labels, "__name__": "slipway_labelled_total"}),
        series(None, 9, 18, 27, at=at, **{**labels, "__name__": "slipway_right_total"}),
    ]
    counts = count(RUN, POLICY, grid(START, START + 30, 10, START + 20), found, judged)
    assert [(each.requests, each.failed) for each in counts.canary] == [(50, 0), (44, 4), (32, 2)]
    assert [(each.requests, each.failed) for each in counts.primary] == [(100, 0)] * 3
    assert [(each.timed, each.slow_p95) for each in counts.canary] == [(50, 10), (44, 4), (32, 12)]
    assert [(each.labelled, each.wrong) for each in counts.canary] == [(10, 1)] * 3
    assert counts.edges == {"p95": 0.25}
    assert counts.since(START + 20)[0].requests == 32
    assert counts.restarted == ()


def test_a_candidate_that_was_started_anew_is_named() -> None:
    asked = servers("rest_server_requests_total", 0, 50, 90, 3, service="churn-canary", version=2, status_code="200")
    assert count(RUN, POLICY, grid(START, START + 30, 10, START), [asked], ()).restarted == ("v2",)


@pytest.mark.parametrize(
    ("values", "up", "when"),
    [
        pytest.param((10, 20, 30, 40), (1, 1, 1, 1), set(), id="never"),
        pytest.param((10, 20, 5, 9), (1, 1, 1, 1), {20.0}, id="it fell"),
        pytest.param((10, None, None, 40), (1, 0, 0, 1), set(), id="scrapes failed"),
        pytest.param((10, None, None, 4), (1, 0, 0, 1), {30.0}, id="it fell after failed scrapes"),
        pytest.param((10, None, None, 4), (1, 0, 1, 1), {20.0}, id="it was gone until the first request"),
        pytest.param((None, None, 10, 20), (1, 1, 1, 1), set(), id="it came late"),
    ],
)
def test_a_server_was_started_anew(values: Any, up: tuple[float, ...], when: set[float]) -> None:
    assert restarts(series(*values), dict(zip(TIMES, up, strict=True)), TIMES) == when


class Scripted:
    """A Prometheus that remembers what it was asked."""

    def __init__(self, answers: Mapping[str, tuple[Any, ...]]) -> None:
        self.answers, self.asked = answers, list[str]()

    def query(self, expression: str, at: float | None = None) -> tuple[Sample, ...]:
        self.asked.append(expression)
        return tuple(Sample(labels, value(at)) for labels, value in self.answers.get("instant", ()))

    def query_range(self, expression: str, start: float, end: float, step: float) -> tuple[Series, ...]:
        self.asked.append(expression)
        times = [start + index * step for index in range(int((end - start) / step) + 1)]
        return tuple(
            Series(labels, tuple((at, value(at)) for at in times)) for labels, value in self.answers.get("instant", ())
        )


def test_the_reader_joins_what_it_asked_at_different_moments() -> None:
    of = {"__name__": "rest_server_requests_total", "status_code": "200", "inferenceservice": "churn-v2", **POD}
    prometheus = Scripted({"instant": (({**of}, lambda at: 10 * (at - START)),)})
    counts = Reader(prometheus).read(replace(RUN, since=START + 12), POLICY, START + 37)  # type: ignore[arg-type]
    assert [each.requests for each in counts.canary] == [100, 20, 80, 100, 70]
    assert counts.since(START + 12)[0].requests == 250
    assert [pair[0].requests for pair in counts.pairs()] == [100, 100, 100, 70]
    # Without labels to wait for, nobody asks about them.
    assert not any("slipway_labelled_total" in query for query in prometheus.asked)


def test_a_run_that_has_not_begun_asks_nothing() -> None:
    prometheus = Scripted({})
    assert Reader(prometheus).read(replace(RUN, started=None), POLICY, START).canary == ()  # type: ignore[arg-type]
    assert prometheus.asked == []
