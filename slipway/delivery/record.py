"""The record of one rollout: the data of the live view, the report, the incident and the rehearsal.

Times are ISO 8601 in UTC with a trailing Z (`2026-11-21T16:30:05Z`), latencies milliseconds, rates percent.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from slipway.documents import Frozen
from slipway.rollout.messages import Kind

Outcome = Literal["running", "promoted", "failed", "aborted"]


class Measured(Frozen):
    """Measurements of one side; None stands for "no data", never for zero."""

    requests: int = 0
    failed: int = 0
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    latency_p99_ms: float | None = None
    labelled: int = 0
    right: int = 0

    @property
    def success_percent(self) -> float | None:
        """Share of requests answered with 2xx."""
        return 100 * (self.requests - self.failed) / self.requests if self.requests else None

    @property
    def correct_percent(self) -> float | None:
        """Share of labelled predictions that were right."""
        return 100 * self.right / self.labelled if self.labelled else None


class Point(Frozen):
    """One point at the end of an interval: the weight then and the measurements of that interval."""

    at: str
    phase: str
    #: Percent of the traffic that the candidate had.
    weight: int
    failed_checks: int = 0
    #: The judge's e-value; None without one.
    evidence: float | None = None
    primary: Measured = Measured()
    canary: Measured = Measured()


class Decision(Frozen):
    """A decision of Flagger, the judge or an operator, with its reason in one line."""

    at: str
    kind: Kind
    weight: int
    reason: str


class Exposure(Frozen):
    """Requests that the candidate answered, from the first to the last."""

    requests: int = 0
    failed: int = 0
    seconds: float = 0.0


class RolloutRecord(Frozen):
    """Record of one rollout of one model."""

    written_by_slipway: ClassVar[bool] = True

    environment: str
    model: str
    namespace: str
    strategy: str
    #: Registry versions: the one that served users, the one that was tried.
    stable_version: int
    candidate_version: int
    stable_release: str
    candidate_release: str
    outcome: Outcome
    #: The reason for the outcome in one line; empty while it runs.
    reason: str = ""
    started: str
    #: Empty while it runs.
    ended: str = ""
    steps: tuple[int, ...]
    interval_seconds: int
    threshold: int
    #: The objectives, as `rollout.policy.Policy.text` writes them; empty without a judge.
    policy: str = ""
    exposure: Exposure = Exposure()
    points: tuple[Point, ...] = ()
    decisions: tuple[Decision, ...] = ()
