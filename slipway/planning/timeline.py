"""The predicted timeline of a rollout, computed from its compiled Canary.

Flagger acts once an interval (pkg/controller/scheduler.go, advanceCanary). The first tick after the target has moved
notices the change, the second gives the first weight, each later one gives the next weight or holds, the one after the
last weight promotes. Two more route all traffic to the primary and set Succeeded. `up` falls anywhere between two
ticks, so the first one comes after half an interval on average.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from slipway.documents import Frozen
from slipway.objects import Object
from slipway.rollout.canary import interval_of, policy_of, strategy_of
from slipway.rollout.policy import Policy

#: Ticks from the promotion to Succeeded.
AFTER_PROMOTION = 2


class Step(Frozen):
    """The time at one weight."""

    #: Percent of the users' requests that go to the candidate.
    weight: int
    #: Whether users see its answers; mirrored ones are dropped.
    shown: bool
    #: Ticks until Flagger goes on.
    intervals: int
    seconds: int
    #: Expected requests of the candidate at this weight.
    requests: float
    #: Required requests and seconds at this weight; 0 requires none.
    min_requests: int = 0
    pause_seconds: int = 0
    #: Why it takes longer than one interval; empty if it does not.
    held_by: Literal["", "requests", "pause"] = ""


class Timeline(Frozen):
    """Timeline of a good candidate. Seconds count from the moment when `up` moves the target."""

    environment: str
    model: str
    strategy: str
    interval_seconds: int
    threshold: int
    requests_per_second: float
    #: Whether the judge decides; otherwise Flagger's thresholds do, interval by interval.
    judged: bool
    steps: tuple[Step, ...]
    #: Mean seconds to the candidate's first request, to its promotion, to Succeeded.
    first_request_seconds: float
    promoted_seconds: float
    settled_seconds: float
    #: Users' requests that the candidate answers before its promotion.
    requests: float


def predict(canary: Object, environment: str, requests_per_second: float) -> Timeline:
    """Compute the timeline of one model, whose plan has passed `compile.refusals`; that excludes A/B tests.

    Args:
        canary: The Canary as compiled for the environment.
        environment: The environment's name.
        requests_per_second: Rate of the users' requests to the model.
    """
    analysis, policy, interval = canary["spec"]["analysis"], policy_of(canary), round(interval_of(canary))
    immediate = bool(canary["spec"].get("skipAnalysis"))
    judged = policy is not None
    steps = tuple(
        _step(weight, shown, policy or thresholds(canary), judged, interval, requests_per_second)
        for weight, shown in (() if immediate else _stages(analysis, policy is not None and policy.shadow))
    )
    # Without analysis the first tick promotes and sets Succeeded.
    before = interval * (0.5 if immediate else 1.5)
    promoted = before + sum(step.seconds for step in steps)
    return Timeline(
        environment=environment,
        model=canary["metadata"]["name"],
        strategy=strategy_of(canary),
        interval_seconds=interval,
        threshold=int(analysis["threshold"]),
        requests_per_second=float(requests_per_second),
        judged=judged,
        steps=steps,
        first_request_seconds=before,
        promoted_seconds=promoted,
        settled_seconds=promoted + (0 if immediate else AFTER_PROMOTION * interval),
        requests=sum(step.requests for step in steps if step.shown),
    )


def _stages(analysis: Object, shadow: bool) -> Iterator[tuple[int, bool]]:
    """Yield Flagger's weights and whether users see the answers (scheduler.go, runCanary and runBlueGreen).

    The tick of the first iteration is the one that would give the first weight.
    """
    if "stepWeights" in analysis:
        yield from ((int(weight), True) for weight in analysis["stepWeights"])
    else:
        yield from [(100 if shadow else 0, False)] * int(analysis["iterations"])
        if not shadow:
            yield 100, True


def thresholds(canary: Object) -> Policy:
    """Return Flagger's thresholds for each interval as a policy."""
    analysis = canary["spec"]["analysis"]
    checks = {check["name"]: check["thresholdRange"] for check in analysis.get("metrics") or ()}
    return Policy(
        success_rate_percent=float(checks.get("success-rate", {}).get("min", 100)),
        latency_p95_ms=float(checks.get("latency-p95", {}).get("max", 10_000)),
        latency_p99_ms=(float(checks["latency-p99"]["max"]) if "latency-p99" in checks else None),
        min_requests=max(1, int(checks.get("requests", {}).get("min", 1))),
    )


def _step(weight: int, shown: bool, policy: Policy, judged: bool, interval: int, rate: float) -> Step:
    # Rounded, so that 0.1 x 600 is 60 also in binary; never none, so that the time stays finite.
    a_look = max(round(rate * weight * interval / 100, 6), 1e-6)
    pause = policy.pauses.get(str(weight), 0)
    # Without a judge too few requests fail the check instead of holding. Weight 0 has no requests to wait for.
    for_requests = math.ceil(policy.min_requests / a_look) if judged and weight else 1
    for_pause = math.ceil(pause / interval)
    looks = max(1, for_requests, for_pause)
    held_by: Literal["", "requests", "pause"] = ""
    if looks > 1:
        held_by = "requests" if for_requests >= for_pause else "pause"
    return Step(
        weight=weight,
        shown=shown,
        intervals=looks,
        seconds=looks * interval,
        requests=round(a_look * looks, 3) if weight else 0.0,
        min_requests=policy.min_requests if weight else 0,
        pause_seconds=pause,
        held_by=held_by,
    )
