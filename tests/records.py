"""Records of rollouts as they really go, for tests of their views."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from slipway.delivery.record import Decision, Exposure, Measured, Point, RolloutRecord

START = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)


def at(seconds: float) -> str:
    """Return the moment so long after a rollout's start."""
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def measured(requests: int, failed: int = 0, p95: float | None = 12.0, right: int | None = None) -> Measured:
    """Make what was measured in an interval; every request is labelled when `right` is given."""
    return Measured(
        requests=requests,
        failed=failed,
        latency_p50_ms=None if p95 is None else p95 / 2,
        latency_p95_ms=p95,
        latency_p99_ms=None if p95 is None else p95 * 1.5,
        labelled=0 if right is None else requests,
        right=right or 0,
    )


def point(seconds: float, weight: int, phase: str = "Progressing", **changes: Any) -> Point:
    """Make one look of an interval of ten seconds at twenty requests a second."""
    canary = 2 * weight
    given: dict[str, Any] = {
        "evidence": 0.8,
        "primary": measured(200 - canary, right=192 - canary),
        "canary": measured(canary, p95=14.0, right=canary) if canary else Measured(),
    }
    return Point(at=at(seconds), phase=phase, weight=weight, **{**given, **changes})


def a_record(**changes: Any) -> RolloutRecord:
    """Make a rollout that has begun; `changes` replace whole fields."""
    content: dict[str, Any] = {
        "environment": "local",
        "model": "churn",
        "namespace": "models",
        "strategy": "canary",
        "stable_version": 3,
        "candidate_version": 4,
        "stable_release": "v3-" + "a" * 12,
        "candidate_release": "v4-" + "b" * 12,
        "outcome": "running",
        "started": at(0),
        "steps": (10, 50, 100),
        "interval_seconds": 10,
        "threshold": 2,
        "policy": '{"correct_percent":90.0,"latency_p95_ms":250.0,"min_requests":20,"success_rate_percent":99.5}',
        "points": (point(10, 10),),
    }
    return RolloutRecord(**{**content, **changes})


def promoted() -> RolloutRecord:
    """Make a rollout that went all the way."""
    weights = (0, 10, 10, 50, 100, 100, 0)
    phases = ("Progressing",) * 5 + ("Promoting", "Finalising")
    return a_record(
        outcome="promoted",
        reason="the candidate takes over",
        ended=at(70),
        exposure=Exposure(requests=560, failed=0, seconds=50.0),
        points=tuple(point(10 * n, w, p) for n, (w, p) in enumerate(zip(weights, phases, strict=True))),
        decisions=(
            Decision(at=at(0), kind="started", weight=0, reason="v4 is ready"),
            Decision(at=at(10), kind="advanced", weight=10, reason="first step"),
            Decision(at=at(20), kind="held", weight=10, reason="12 of 20 requests at 10 %"),
            Decision(at=at(30), kind="advanced", weight=50, reason="20 requests, evidence 0.8 of 20"),
            Decision(at=at(40), kind="advanced", weight=100, reason="100 requests, evidence 0.8 of 20"),
            Decision(at=at(70), kind="promoted", weight=100, reason="the candidate takes over"),
        ),
    )


def rolled_back() -> RolloutRecord:
    """Make a rollout of a version that is wrong half of the time."""
    reason = "wrong: 11 of 21 labelled predictions of v4, 8 of 200 of v3; evidence 64 of 20"
    bad = point(20, 10, evidence=64.0, failed_checks=1, canary=measured(21, p95=15.0, right=10))
    return a_record(
        outcome="failed",
        reason=reason,
        ended=at(30),
        exposure=Exposure(requests=21, failed=0, seconds=11.0),
        points=(point(0, 0, evidence=None), point(10, 10, evidence=2.5), bad, point(30, 0, "Failed", evidence=None)),
        decisions=(
            Decision(at=at(0), kind="started", weight=0, reason="v4 is ready"),
            Decision(at=at(10), kind="advanced", weight=10, reason="first step"),
            Decision(at=at(20), kind="rolled-back", weight=10, reason=reason),
        ),
    )
