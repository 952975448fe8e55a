"""Simulation of the requests that a worse candidate answers before an environment rolls it back.

Rollouts are simulated check by check along the timeline, with the judge's own code. Requests arrive at random (Poisson)
and are bad at random. The random numbers are seeded, so that equal plans have equal tables.
"""

from __future__ import annotations

from collections.abc import Callable

from slipway.documents import Frozen
from slipway.judge.evidence import Signal, Window
from slipway.judge.evidence import verdict as weigh
from slipway.planning.timeline import Step, Timeline
from slipway.rollout.policy import LIMIT, Policy

#: Draws the requests of one interval of a step.
Draw = Callable[[Step], Window]
#: Ratios of bad requests to those of the stable version; at 1, a rollback is a false alarm.
FACTORS = (1.0, 2.0, 4.0, 10.0)
#: Simulated rollouts per entry: a share of 50 % is then known to 7 points (twice its standard error).
PLAYED = 200
SEED = 7


class Found(Frozen):
    """The rollback of a simulated rollout: its weight and its time after `up`."""

    weight: int
    seconds: float
    #: Users' requests that the candidate answered until then, and how many of them badly.
    requests: int
    bad: int


class Exposure(Frozen):
    """Exposure of users to a candidate that is worse in one way.

    The stable version is assumed to be as bad as the objective allows: beside a better one, a candidate that is so many
    times worse has fewer bad answers.
    """

    #: Kind of bad requests: `errors`, `slow-p95`, `slow-p99`, `wrong`.
    signal: str
    #: Percent of requests that may be bad.
    allowed_percent: float
    factor: float
    #: Percent of the rollouts that were rolled back before the promotion.
    found_percent: float
    #: The median of all rollouts; None where it was promoted.
    middle: Found | None = None


def exposures(timeline: Timeline, policy: Policy) -> tuple[Exposure, ...]:
    """Simulate rollouts of worse candidates; an immediate rollout has no exposures, since nothing can be found."""
    if not timeline.steps:
        return ()
    signals = policy.allowed()
    return tuple(
        _exposure(timeline, name, allowed, factor, len(signals))
        for name, allowed in signals.items()
        for factor in FACTORS
        # No share is above 1, and every multiple of 0 is 0.
        if 0 < factor * allowed <= 1
    )


def _exposure(timeline: Timeline, name: str, allowed: float, factor: float, signals: int) -> Exposure:
    # Only rehearsals need it.
    import numpy as np

    chance, arriving = np.random.default_rng(SEED), timeline.requests_per_second * timeline.interval_seconds

    def draw(step: Step) -> Window:
        share = step.weight / 100
        # Both versions answer a mirrored request.
        canary, primary = (int(chance.poisson(arriving * part)) for part in (share, 1 - share if step.shown else 1.0))
        bad = int(chance.binomial(canary, factor * allowed))
        return Window(canary, bad, primary, int(chance.binomial(primary, allowed)))

    play = _judged if timeline.judged else _by_thresholds
    ended = [play(timeline, name, allowed, signals, draw) for _ in range(PLAYED)]
    found = sorted((one for one in ended if one), key=lambda one: one.requests)
    return Exposure(
        signal=name,
        allowed_percent=round(100 * allowed, 6),
        factor=factor,
        found_percent=100 * len(found) / len(ended),
        # Promoted candidates answered more requests than any that was rolled back, so they come last.
        middle=found[len(ended) // 2] if len(found) > len(ended) // 2 else None,
    )


def _judged(timeline: Timeline, name: str, allowed: float, signals: int, draw: Draw) -> Found | None:
    """Ask the judge at each check; the rollback webhook takes back a condemned candidate in the same check."""
    windows: list[Window] = []
    # Signals without requests count as 1 each, so one signal needs as much evidence as it does beside the others.
    others = tuple(Signal(f"other-{number}", (), allowed) for number in range(signals - 1))
    seconds, seen, bad = timeline.first_request_seconds, 0, 0
    for step in (each for each in timeline.steps for _ in range(each.intervals)):
        windows.append(window := draw(step))
        seconds += timeline.interval_seconds
        seen, bad = seen + step.shown * window.canary, bad + step.shown * window.canary_bad
        verdict = weigh((Signal(name, tuple(windows), allowed), *others))
        if verdict.broken or verdict.e_value > LIMIT:
            return Found(weight=step.weight, seconds=seconds, requests=seen, bad=bad)
    return None


def _by_thresholds(timeline: Timeline, name: str, allowed: float, signals: int, draw: Draw) -> Found | None:
    """Hold each interval to the objective separately; the check after `threshold` failed ones rolls back."""
    seconds, seen, bad, failed = timeline.first_request_seconds, 0, 0, 0
    for step in timeline.steps:
        while True:
            window = draw(step)
            seconds += timeline.interval_seconds
            seen, bad = seen + step.shown * window.canary, bad + step.shown * window.canary_bad
            if failed >= timeline.threshold:
                return Found(weight=step.weight, seconds=seconds, requests=seen, bad=bad)
            if window.canary >= step.min_requests and window.canary_bad <= allowed * window.canary:
                break
            failed += 1
    return None
