"""Simulated rollouts, thousands at a time, each judged in three ways from the same requests.

Slipway's judge, plain thresholds as Flagger has them, a z test that is repeated at each look. The judge's formulas are
written again here, for arrays; `check` holds both to each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slipway.judge.evidence import (
    ERRORS_OF_PRIMARY,
    FLOOR_REQUESTS,
    FLOOR_SHARE,
    FLOORED,
    RATIOS,
    TOLERATED,
    Signal,
    Window,
)
from slipway.judge.evidence import verdict as weigh
from slipway.rollout.policy import LIMIT

Floats = NDArray[np.float64]
#: Share of bad that the objectives of the simulated model allow: 99 % answered, a p95, 92 % right.
ALLOWED = {"errors": 0.01, "slow": 0.05, "wrong": 0.08}
#: One request in five gets its label.
LABELLED = 0.2
#: Flagger's `threshold`, and the number of intervals after which a rollout is given up as endless.
FAILED_CHECKS = 5
MOST_LOOKS = 10_000
#: One-sided 5 %.
Z = 1.645


@dataclass(frozen=True)
class Truth:
    """Shares of bad requests by signal, of the primary with those of the candidate."""

    name: str
    primary: dict[str, float]
    canary: dict[str, float]
    #: Failed requests come in bursts of so many, each on one side.
    burst: int = 1
    #: Looks during which both sides fail with this share: (first, last, share).
    outage: tuple[int, int, float] | None = None
    #: The look from which the candidate is as `canary` says; before, it is as the primary.
    turns_at: int = 0


@dataclass(frozen=True)
class Pace:
    """How a rollout walks: requests per second, seconds between looks, weights in percent, looks at each at least."""

    per_second: float
    seconds: float = 60.0
    weights: tuple[int, ...] = (5, 10, 25, 50)
    looks: int = 15
    #: The candidate must have been asked this at a weight before it gets more.
    min_requests: int = 20


@dataclass(frozen=True)
class Counts:
    """One signal: arrays of shape (rollouts, looks)."""

    canary: Floats
    canary_bad: Floats
    primary: Floats
    primary_bad: Floats


@dataclass(frozen=True)
class Traffic:
    """What was counted, by signal; `active` is false after a rollout's end."""

    signals: dict[str, Counts]
    active: NDArray[np.bool_]


GOOD = {"errors": 0.002, "slow": 0.034, "wrong": 0.05}


def equal(name: str, **shares: float) -> Truth:
    """Primary and candidate alike."""
    return Truth(name, {**GOOD, **shares}, {**GOOD, **shares})


def worse(name: str, signal: str, primary: float, canary: float) -> Truth:
    """One signal of the candidate is worse."""
    return Truth(name, {**GOOD, signal: primary}, {**GOOD, signal: canary})


def slower(times: float) -> Truth:
    """Lognormal latencies, median 40 ms, sigma 0.5, p95 objective 100 ms; the candidate's all so many times longer."""
    canary = 0.5 * math.erfc(math.log(100 / 40 / times) / 0.5 / math.sqrt(2))
    return worse(f"every answer {times:g} x as slow: {100 * canary:.0f} % too slow", "slow", GOOD["slow"], canary)


def simulate(rng: np.random.Generator, truth: Truth, pace: Pace, rollouts: int) -> Traffic:
    """Let rollouts run to their end: what a judge does about them is looked at afterwards."""
    weights = np.array([*pace.weights, 0]) / 100
    step, here, asked = np.zeros(rollouts, int), np.zeros(rollouts, int), np.zeros(rollouts)
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in truth.primary}
    active: list[NDArray[np.bool_]] = []
    for look in range(MOST_LOOKS):
        running = step < len(pace.weights)
        if not running.any():
            break
        active.append(running)
        requests = rng.poisson(pace.per_second * pace.seconds, rollouts) * running
        canary = rng.binomial(requests, weights[step])
        for name in truth.primary:
            labelled = LABELLED if name == "wrong" else 1.0
            sides = [rng.binomial(side, labelled) for side in (canary, requests - canary)]
            shares = [(truth.canary if look >= truth.turns_at else truth.primary)[name], truth.primary[name]]
            if truth.outage and truth.outage[0] <= look <= truth.outage[1] and name == "errors":
                shares = [truth.outage[2]] * 2
            burst = truth.burst if name == "errors" else 1
            bad = [_bad(rng, *one, burst) for one in zip(sides, shares, strict=True)]
            rows[name].append((sides[0], bad[0], sides[1], bad[1]))
        here, asked = here + 1, asked + canary
        on = running & (here >= pace.looks) & (asked >= pace.min_requests)
        step, here, asked = step + on, np.where(on, 0, here), np.where(on, 0, asked)
    signals = {
        name: Counts(*(np.array(part, float).T for part in zip(*looks, strict=True))) for name, looks in rows.items()
    }
    return Traffic(signals, np.array(active).T)


def _bad(rng: np.random.Generator, requests: NDArray[Any], share: float, burst: int) -> NDArray[Any]:
    if burst == 1:
        return rng.binomial(requests, share)
    return np.minimum(rng.binomial(requests, share / burst) * burst, requests)


def evidence(traffic: Traffic) -> tuple[Floats, NDArray[np.bool_]]:
    """The judge on arrays: the e-value with whether the hard floor is broken, of shape (rollouts, looks)."""
    logs, broken = [], np.zeros(traffic.active.shape, bool)
    for name, counts in traffic.signals.items():
        asked, bad = counts.canary.cumsum(1), counts.canary_bad.cumsum(1)
        exceeds = _mixture(bad, asked, np.full_like(asked, TOLERATED * ALLOWED[name]))
        compared = ((counts.canary > 0) & (counts.primary > 0)).cumsum(1) > 0
        logs += [np.where(compared, np.minimum(against_primary(counts), exceeds), 0)]
        logs += [_mixture(bad, asked, _objective(counts, ALLOWED[name]))]
        if name == FLOORED:
            by_chance = _mixture(bad, asked, np.full_like(asked, ALLOWED[name]))
            enough = by_chance >= math.log(LIMIT * 2 * len(traffic.signals))
            broken = (asked >= FLOOR_REQUESTS) & (bad > FLOOR_SHARE * asked) & enough
    e_values: Floats = np.exp(np.clip(np.logaddexp.reduce(logs, axis=0) - math.log(len(logs)), None, 700))
    return e_values, broken


def against_primary(counts: Counts) -> Floats:
    """The logarithm of the one comparison that the research simulated."""
    both = (counts.canary > 0) & (counts.primary > 0)
    share = np.where(both, counts.canary / np.maximum(counts.canary + counts.primary, 1), 0)
    ours, all_bad = counts.canary_bad * both, (counts.canary_bad + counts.primary_bad) * both
    logs = [(ours * math.log(th) - all_bad * np.log1p((th - 1) * share)).cumsum(1) for th in RATIOS]
    return np.logaddexp.reduce(logs, axis=0) - math.log(len(RATIOS))


def _objective(counts: Counts, allowed: float) -> Floats:
    both = (counts.canary > 0) & (counts.primary > 0)
    times = both * counts.canary / np.maximum(counts.primary, 1)
    expected, variance = (times * counts.primary_bad).cumsum(1), (times**2 * counts.primary_bad).cumsum(1)
    asked = np.maximum((both * counts.canary).cumsum(1), 1)
    return np.maximum(allowed, np.minimum(1, (expected + ERRORS_OF_PRIMARY * np.sqrt(variance)) / asked))


def _mixture(bad: Floats, asked: Floats, share: Floats) -> Floats:
    logs = [bad * math.log(th) - asked * np.log1p((th - 1) * share) for th in RATIOS]
    return np.logaddexp.reduce(logs, axis=0) - math.log(len(RATIOS))


def check(traffic: Traffic, rollouts: int = 3) -> None:
    """Hold the arrays to the judge itself."""
    e_values, broken = evidence(traffic)
    for row in range(rollouts):
        for look in np.linspace(0, e_values.shape[1] - 1, 8, dtype=int):
            signals = [
                Signal(name, tuple(Window(*map(int, one)) for one in _rows(counts, row, look)), ALLOWED[name])
                for name, counts in traffic.signals.items()
            ]
            verdict = weigh(signals)
            if (
                not math.isclose(verdict.e_value, e_values[row, look], rel_tol=1e-6)
                or verdict.broken != broken[row, look]
            ):
                raise AssertionError(f"the arrays differ from the judge: {e_values[row, look]} for {verdict}")


def _rows(counts: Counts, row: int, look: int) -> Iterator[tuple[float, ...]]:
    parts = (counts.canary, counts.canary_bad, counts.primary, counts.primary_bad)
    return zip(*(part[row, : look + 1] for part in parts), strict=True)


# What rolls back, each of shape (rollouts, looks): true from the look at which it would act.


def by_judge(traffic: Traffic) -> NDArray[np.bool_]:
    e_values, broken = evidence(traffic)
    return (e_values >= LIMIT) | broken


def by_research(traffic: Traffic) -> NDArray[np.bool_]:
    """One signal against the primary, with all of the 5 %."""
    return against_primary(traffic.signals["errors"]) >= math.log(LIMIT)


def by_thresholds(traffic: Traffic) -> NDArray[np.bool_]:
    """Flagger's: an interval with more than the allowed share, or without a request, is a failed check; they add up."""
    failed = np.zeros(traffic.active.shape, bool)
    for name, counts in traffic.signals.items():
        failed |= counts.canary_bad > ALLOWED[name] * counts.canary
        if name != "wrong":
            failed |= counts.canary == 0
    return (failed & traffic.active).cumsum(1) >= FAILED_CHECKS


def by_z_test(traffic: Traffic) -> NDArray[np.bool_]:
    """Two proportions, pooled, one-sided 5 % for each signal, looked at again after each interval."""
    found = np.zeros(traffic.active.shape, bool)
    for counts in traffic.signals.values():
        nc, fc, np_, fp = (x.cumsum(1) for x in (counts.canary, counts.canary_bad, counts.primary, counts.primary_bad))
        pooled = (fc + fp) / np.maximum(nc + np_, 1)
        spread = np.sqrt(pooled * (1 - pooled) * (1 / np.maximum(nc, 1) + 1 / np.maximum(np_, 1)))
        found |= (spread > 0) & (nc > 0) & (fc / np.maximum(nc, 1) - fp / np.maximum(np_, 1) > Z * spread)
    return found


@dataclass(frozen=True)
class Outcome:
    """What became of the rollouts: share rolled back; of those, medians of the look with the candidate's requests."""

    rolled_back: float
    look: float
    requests: float

    def text(self, seconds: float) -> str:
        """Write it for a table."""
        if not self.rolled_back:
            return "0 %"
        minutes = self.look * seconds / 60
        return f"{100 * self.rolled_back:.1f} %, {minutes:.3g} min, {self.requests:.0f}"


def outcome(acts: NDArray[np.bool_], traffic: Traffic) -> Outcome:
    """Look at when something acted first."""
    rolled_back = acts.any(1)
    if not rolled_back.any():
        return Outcome(0.0, math.nan, math.nan)
    first = acts.argmax(1)[rolled_back]
    asked = traffic.signals["errors"].canary.cumsum(1)[rolled_back, first]
    return Outcome(float(rolled_back.mean()), float(np.median(first) + 1), float(np.median(asked)))
