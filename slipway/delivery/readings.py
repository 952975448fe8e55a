"""Figures and sentences derived from a rollout's record, with their formats."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from slipway.delivery.record import Measured, RolloutRecord
from slipway.rollout.policy import LIMIT
from slipway.times import epoch

Side = Literal["primary", "canary"]

#: Outcomes of a rollout in words.
OUTCOMES = {"running": "is under way", "promoted": "promoted", "failed": "rolled back", "aborted": "aborted"}
#: Flagger's next step by phase (pkg/apis/flagger/v1beta1/status.go), used if no decision says more.
_NEXT = {
    "Initializing": "Flagger to take over the traffic",
    "Initialized": "Flagger to see the change",
    "Waiting": "the candidate to be ready",
    "Progressing": "Flagger's next look, every {interval} s",
    "WaitingPromotion": "leave to promote",
    "Promoting": "the primary to become the candidate",
    "Finalising": "the traffic to be back on the primary",
}


def total(record: RolloutRecord, side: Side) -> Measured:
    """Sum one side's counts over the rollout; latencies are those of the newest interval with a measurement."""
    measured: list[Measured] = [getattr(point, side) for point in record.points]
    return Measured(
        requests=sum(each.requests for each in measured),
        failed=sum(each.failed for each in measured),
        latency_p50_ms=_newest(each.latency_p50_ms for each in measured),
        latency_p95_ms=_newest(each.latency_p95_ms for each in measured),
        latency_p99_ms=_newest(each.latency_p99_ms for each in measured),
        labelled=sum(each.labelled for each in measured),
        right=sum(each.right for each in measured),
    )


def evidence(record: RolloutRecord) -> float | None:
    """Return the newest evidence against the candidate, as an e-value; None without any."""
    return _newest(point.evidence for point in record.points)


def phase(record: RolloutRecord) -> str:
    """Return the newest phase of Flagger."""
    return record.points[-1].phase if record.points else "Initialized"


def weight(record: RolloutRecord) -> int:
    """Return the percent of users with the candidate: 100 once the primary runs that version."""
    if record.outcome == "promoted" or phase(record) in ("Promoting", "Finalising"):
        return 100
    return record.points[-1].weight if record.points and record.outcome == "running" else 0


def waits_for(record: RolloutRecord) -> str:
    """Return the cause for which a running rollout waits; empty after its end."""
    if record.outcome != "running":
        return ""
    newest = record.decisions[-1] if record.decisions else None
    if newest and newest.kind in ("held", "halted"):
        return newest.reason
    return _NEXT.get(phase(record), phase(record)).format(interval=record.interval_seconds)


def why(record: RolloutRecord) -> str:
    """Return the reason for the outcome in one line; empty while the rollout runs."""
    if record.outcome != "promoted":
        return record.reason
    # No finding against a version means little without the number of requests.
    canary, against = total(record, "canary"), evidence(record)
    said = [f"{canary.requests:,} requests, {canary.failed:,} failed"]
    if canary.labelled:
        said.append(f"{canary.right:,} of {canary.labelled:,} labelled predictions right")
    if against is not None:
        said.append(f"evidence {against:.2g}, limit {LIMIT:g}")
    return f"{record.reason or 'nothing speaks against it'}: {', '.join(said)}"


def verdict(record: RolloutRecord) -> str:
    """Return the outcome and its reason in one line."""
    said = f"{record.model}: v{record.candidate_version} {OUTCOMES[record.outcome]}"
    return f"{said}: {reason}" if (reason := why(record)) else said


def seconds(record: RolloutRecord, moment: str) -> float:
    """Return the seconds from a rollout's start to a moment of its record."""
    return (epoch(moment) or 0.0) - (epoch(record.started) or 0.0)


def duration(record: RolloutRecord) -> float:
    """Return the seconds from the start to the end or to the last point or decision."""
    last = (*(point.at for point in record.points[-1:]), *(decision.at for decision in record.decisions[-1:]))
    return max((seconds(record, moment) for moment in (record.ended, *last) if moment), default=0.0)


def percent(value: float | None) -> str:
    """Write 99.95 as `99.9 %`: rounded down, because less than all is never 100; "-" without a measurement."""
    return "-" if value is None else f"{math.floor(value * 10) / 10:.1f} %"


def milliseconds(value: float | None) -> str:
    """Write 1234.5 as `1,234 ms`; "-" without a measurement."""
    return "-" if value is None else f"{value:,.0f} ms"


def clock(span: float) -> str:
    """Write seconds as 2:05."""
    return f"{int(span) // 60}:{int(span) % 60:02d}"


def _newest(values: Iterable[float | None]) -> float | None:
    return next((value for value in reversed(list(values)) if value is not None), None)
