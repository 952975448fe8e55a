"""`python -m tests.bench.judge_simulation`: how often the judge is wrong, how soon it is right.

Nothing here is timed: the tables are the same on every machine, up to the numpy version's random numbers.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench import canaries
from tests.bench.canaries import GOOD, Pace, Traffic, Truth, equal, outcome, simulate, slower, worse
from tests.bench.report import put_into

SEED = 20261121
ROLLOUTS = 1000
#: Long ones, of which each has thousands of looks.
FEWER = 200
BUSY, QUIET = Pace(per_second=10), Pace(per_second=1)
TRUTHS = (
    equal("equal, 0.5 % errors", errors=0.005),
    equal("equal, 1 % errors, as much as is allowed", errors=0.01),
    equal("equal, all three signals at what is allowed", **canaries.ALLOWED),
    worse("2 x the errors (0.5 → 1 %)", "errors", 0.005, 0.01),
    worse("4 x the errors (0.5 → 2 %)", "errors", 0.005, 0.02),
    worse("10 x the errors (0.2 → 2 %)", "errors", 0.002, 0.02),
    slower(1.3),
    slower(2),
    worse("right answers 95 → 90 %", "wrong", 0.05, 0.10),
    worse("right answers 95 → 80 %", "wrong", 0.05, 0.20),
)
NOT_TO_BLAME = (
    equal("both 1.5 % errors", errors=0.015),
    equal("both 2 % errors", errors=0.02),
    equal("both 5 % errors", errors=0.05),
    equal("both 3 % errors, 10 % slow, 15 % wrong", errors=0.03, slow=0.10, wrong=0.15),
    worse("mends half: 4 → 2 % errors", "errors", 0.04, 0.02),
    Truth("two minutes in which half of all requests fail", GOOD, GOOD, outage=(50, 51, 0.5)),
)
Acts = Callable[[Traffic], NDArray[np.bool_]]


def main() -> int:
    """Simulate, print, put into a document."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.judge_simulation", description=__doc__)
    parser.add_argument("--rollouts", type=int, default=ROLLOUTS, help=f"for each row (default {ROLLOUTS})")
    parser.add_argument("--document", type=Path, help="a Markdown file that takes the tables, as docs/performance.md")
    options = parser.parse_args()
    fewer = min(FEWER, options.rollouts)
    tables = "\n\n".join(
        "\n".join(table)
        for table in (
            ["At 10 requests a second:", "", *_beside(BUSY, options.rollouts)],
            ["At 1 request a second:", "", *_beside(QUIET, options.rollouts)],
            ["Errors alone, at 10 requests a second:", "", *_errors_only(options.rollouts)],
            ["A candidate that is not to blame:", "", *_not_to_blame(options.rollouts)],
            ["A candidate that turns bad at the last weight, after 45 good minutes:", "", *_turning(options.rollouts)],
            ["Failures in bursts:", "", *_bursts(options.rollouts)],
            ["What `min_requests` buys, when it alone sets the pace:", "", *_held(options.rollouts)],
            ["What it takes:", "", *_needed(fewer)],
            ["The length of the judge's intervals:", "", *_lengths(fewer)],
        )
    )
    print(tables)
    if options.document:
        put_into(options.document, "judge", tables)
    return 0


def _beside(pace: Pace, rollouts: int) -> Iterator[str]:
    """Show all ways to judge beside each other."""
    yield from _head("truth", "thresholds", "z test, repeated", "the judge")
    for truth in TRUTHS:
        traffic = _simulate(truth, pace, rollouts)
        ways = (canaries.by_thresholds, canaries.by_z_test, canaries.by_judge)
        yield _row(truth.name, *(_text(acts, traffic, pace) for acts in ways))


def _errors_only(rollouts: int) -> Iterator[str]:
    """Show what was simulated before there was a judge, with the judge of one signal."""
    yield from _head("truth", "thresholds", "z test, repeated", "against the primary only", "the judge")
    for truth in (TRUTHS[0], TRUTHS[1], *TRUTHS[3:6]):
        traffic = _simulate(truth, BUSY, rollouts)
        only = Traffic({"errors": traffic.signals["errors"]}, traffic.active)
        ways = (canaries.by_thresholds, canaries.by_z_test, canaries.by_research, canaries.by_judge)
        yield _row(truth.name, *(_text(acts, only, BUSY) for acts in ways))


def _not_to_blame(rollouts: int) -> Iterator[str]:
    half = replace(BUSY, weights=(50,), looks=60)
    yield from _head("truth", "10/s", "1/s", "10/s, all at weight 50", "1/s, all at weight 50", "thresholds, 10/s")
    for truth in NOT_TO_BLAME:
        paces = (BUSY, QUIET, half, replace(half, per_second=1))
        found = [_simulate(truth, pace, rollouts) for pace in paces]
        thresholds = _share(canaries.by_thresholds, found[0])
        yield _row(truth.name, *(_share(canaries.by_judge, traffic) for traffic in found), thresholds)


def _turning(rollouts: int) -> Iterator[str]:
    """Show what having been good for long costs: against one that is bad at the same weight from its first request."""
    yield from _head("from 0.5 % errors", "10/s", "10/s, only weight 50", "1/s", "1/s, only weight 50")
    for share in (0.01, 0.02, 0.05, 0.2):
        truth = worse(f"to {100 * share:g} %", "errors", 0.005, share)
        cells = []
        for pace in (BUSY, QUIET):
            last = replace(pace, weights=pace.weights[-1:])
            turning = _simulate(replace(truth, turns_at=pace.looks * (len(pace.weights) - 1)), pace, rollouts)
            alone = _simulate(truth, last, rollouts)
            cells += [_since(turning, pace.looks * 3, pace), _text(canaries.by_judge, alone, last)]
        yield _row(truth.name, *cells)


def _since(traffic: Traffic, look: int, pace: Pace) -> str:
    """Say what was taken back after a look, counted from it; what had been taken back before is left out."""
    acts = canaries.by_judge(traffic)
    good = ~acts[:, :look].any(1)
    parts = {
        name: canaries.Counts(*(part[good, look:] for part in vars(counts).values()))
        for name, counts in traffic.signals.items()
    }
    return outcome(acts[good, look:], Traffic(parts, traffic.active[good, look:])).text(pace.seconds)


def _bursts(rollouts: int) -> Iterator[str]:
    yield from _head("failures come in bursts of", "equal, 0.5 % errors: 10/s", "1/s", "4 x the errors: 10/s", "1/s")
    for burst in (1, 2, 3, 5, 10):
        good = equal("", errors=0.005)
        bad = worse("", "errors", 0.005, 0.02)
        found = [
            _simulate(replace(truth, burst=burst), pace, rollouts) for truth in (good, bad) for pace in (BUSY, QUIET)
        ]
        yield _row(str(burst), *(_share(canaries.by_judge, traffic) for traffic in found))


def _held(rollouts: int) -> Iterator[str]:
    truths = (TRUTHS[0], TRUTHS[4], TRUTHS[5], TRUTHS[7], TRUTHS[9])
    yield from _head("`min_requests`", "rollout at 10/s", *(truth.name for truth in truths))
    for least in (20, 100, 300, 1000, 3000):
        pace = replace(BUSY, looks=1, min_requests=least)
        found = [_simulate(truth, pace, rollouts) for truth in truths]
        minutes = float(np.median(found[0].active.sum(1)))
        yield _row(str(least), f"{minutes:.0f} min", *(_share(canaries.by_judge, traffic) for traffic in found))


def _needed(rollouts: int) -> Iterator[str]:
    """Show after how many requests four of five are found, at a weight of 10 %."""
    ratios = (1.5, 2.0, 3.0, 4.0, 10.0)
    yield from _head("the primary's share of bad", *(f"{ratio:g} x" for ratio in ratios))
    for signal, share in (("errors", 0.001), ("errors", 0.005), ("errors", 0.01), ("slow", 0.03), ("wrong", 0.05)):
        cells = []
        for ratio in ratios:
            per_second = 10.0 if share > 0.001 else 100.0
            pace = replace(BUSY, per_second=per_second, weights=(10,), looks=600)
            traffic = _simulate(worse(f"{signal} {ratio}", signal, share, min(1, ratio * share)), pace, rollouts)
            acts, asked = canaries.by_judge(traffic), traffic.signals[signal].canary.cumsum(1)
            needed = np.where(acts.any(1), asked[np.arange(len(acts)), acts.argmax(1)], np.inf)
            cells.append(_rounded(float(np.quantile(needed, 0.8, method="higher"))))
        yield _row(f"{100 * share:g} % {signal}, {100 * canaries.ALLOWED[signal]:g} % allowed", *cells)


def _lengths(rollouts: int) -> Iterator[str]:
    yield from _head("seconds of an interval", "equal, 0.5 % errors", "4 x the errors: 10/s", "1/s")
    for seconds in (1, 5, 15, 60, 300):
        looks = 900 // seconds
        cells = []
        for truth, pace in ((TRUTHS[0], BUSY), (TRUTHS[4], BUSY), (TRUTHS[4], QUIET)):
            pace = replace(pace, seconds=float(seconds), looks=looks)
            cells.append(_text(canaries.by_judge, _simulate(truth, pace, rollouts), pace))
        yield _row(str(seconds), *cells)


def _simulate(truth: Truth, pace: Pace, rollouts: int) -> Traffic:
    """Simulate with random numbers of its own: a row does not depend on the rows before it."""
    traffic = simulate(np.random.default_rng([SEED, zlib.crc32(repr((truth, pace)).encode())]), truth, pace, rollouts)
    canaries.check(traffic, rollouts=1)
    return traffic


def _text(acts: Acts, traffic: Traffic, pace: Pace) -> str:
    return outcome(acts(traffic), traffic).text(pace.seconds)


def _share(acts: Acts, traffic: Traffic) -> str:
    return f"{100 * outcome(acts(traffic), traffic).rolled_back:.1f} %"


def _rounded(number: float) -> str:
    """Round to two digits: more would be the chance of the simulation."""
    return f"{float(f'{number:.2g}'):,.0f}" if np.isfinite(number) else "not found"


def _head(*cells: Any) -> Iterable[str]:
    return _row(*cells), "|---" * len(cells) + "|"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
