"""How many users a worse candidate would have reached before an environment takes it back.

Rollouts are played through on paper, look by look along the timeline, with the judge's own code: requests arrive at
random (Poisson), each is bad at random. The random numbers are seeded, so that equal plans have equal tables.
"""

from __future__ import annotations

from collections.abc import Callable

from slipway.documents import Frozen
from slipway.judge.evidence import Signal, Window
from slipway.judge.evidence import verdict as weigh
from slipway.planning.timeline import Step, Timeline
from slipway.rollout.policy import LIMIT, Policy

#: Draws what is counted in one interval of a step.
Draw = Callable[[Step], Window]
#: How many times worse than the stable version; 1 is as good, so that being found is a false alarm.
FACTORS = (1.0, 2.0, 4.0, 10.0)
#: Rollouts that are played for each entry: a share of 50 % is then known to 7 points (twice its standard error).
PLAYED = 200
SEED = 7


class Found(Frozen):
    """When a rollout was taken back: at which weight, how long after `up`, what users had got of it by then."""

    weight: int
    seconds: float
    #: Users' requests that the candidate answered, how many of them it answered badly.
    requests: int
    bad: int


class Exposure(Frozen):
    """What it takes to find one kind of worse.

    The stable version is taken to be as bad as the objective allows, no better: with a better one, the candidate that
    is so many times worse has fewer bad answers.
    """

    #: What is bad: `errors`, `slow-p95`, `slow-p99`, `wrong`.
    signal: str
    #: Percent of requests that may be bad.
    allowed_percent: float
    factor: float
    #: Percent of the rollouts that were taken back before the candidate was promoted.
    found_percent: float
    #: The middle one of all rollouts; None where that one was promoted.
    middle: Found | None = None


def exposures(timeline: Timeline, policy: Policy) -> tuple[Exposure, ...]:
    """Play rollouts of candidates that are worse in one way; an immediate rollout finds nothing, so it has none."""
    if not timeline.steps:
        return ()
    signals = policy.allowed()
    return tuple(
        _exposure(timeline, name, allowed, factor, len(signals))
        for name, allowed in signals.items()
        for factor in FACTORS
        # Four times as many as a third cannot be bad; no multiple of none is.
        if 0 < factor * allowed <= 1
    )


def _exposure(timeline: Timeline, name: str, allowed: float, factor: float, signals: int) -> Exposure:
    # Only rehearsals need it.
    import numpy as np

    chance, arriving = np.random.default_rng(SEED), timeline.requests_per_second * timeline.interval_seconds

    def draw(step: Step) -> Window:
        share = step.weight / 100
        # A mirrored request is answered by both.
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
        # Those that were promoted were seen by more than any that was taken back, so they come last.
        middle=found[len(ended) // 2] if len(found) > len(ended) // 2 else None,
    )


def _judged(timeline: Timeline, name: str, allowed: float, signals: int, draw: Draw) -> Found | None:
    """Ask the judge at each look; what it finds is taken back at that very look, through the rollback webhook."""
    windows: list[Window] = []
    # Signals without requests count as 1 each, so the one that speaks needs as much as it needs beside the others.
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
    """Hold each interval to the objective by itself; the look after `threshold` failed checks takes it back."""
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
