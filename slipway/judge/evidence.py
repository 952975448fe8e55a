"""How strongly what was counted speaks against a candidate, at any moment of a rollout.

Each signal is a count of bad requests among all (failed, slow, wrong), by interval, of the candidate ("canary") with
the primary of the same time. Two questions are put to each, and each answer is an e-value: a number that is 1 when
nothing is known, whose expectation is at most 1 as long as the candidate is innocent, however often one looks.

*Against the primary.* Given that n requests of an interval were bad, and that the candidate got the share p of its
traffic, each of them was the candidate's with probability at most p if it is not worse. The alternative gives the
candidate `ratio` times the primary's share of bad: probability ratio p / (1 - p + ratio p). The evidence is the
likelihood ratio of both, the product over the intervals, the mean over `RATIOS`. An outage that hits both alike
cancels, whenever it is, since only requests of one interval are compared. Where the bad are many, the bad among given
requests are hypergeometric, less spread than this binomial: then the expectation is below 1, never above (Hoeffding
1963). Worse counts only as far as the candidate also exceeds a quarter of what the objective allows (the smaller of
both e-values, which is an e-value if the candidate is innocent of either): four slow answers of a thousand, where fifty
may be, are a cold start, however perfect the primary is.

*Against the objective.* The same with a known share: each request of the candidate is bad with probability at most
`allowed`; the alternative multiplies the odds. It speaks where no primary is there to compare with: at weight 100, or
when the primary is hardly asked. With `allowed` 0 it takes two or three bad requests, not one.

*Together.* `Verdict.e_value` is the mean over all signals, both questions. The mean of e-values is an e-value however
they depend on each other (a request may be slow because it fails), and by Ville's inequality it ever reaches 20 with a
probability of at most 1/20: of candidates that keep the objectives, as good as their primaries, at most one in twenty
is rolled back, by any signal, however often Flagger asks. The largest instead of the mean would be wrong up to six
times as often with three signals. The price: one comparison alone must reach 20 times the number of comparisons. The
number of signals must stay the same during a rollout; one without traffic counts 1.

*A primary that breaks its objective.* A candidate that is no worse is not rolled back: the same users would get the
same failures from the primary, the release would be rejected for good, and a version that mends half of the failures
could never go live. The fault is somewhere else. So where the primary does worse than `allowed`, its own share, in the
intervals and with the weights of the candidate's requests, takes the place of `allowed`. As long as the primary has
shown nothing bad, it is presumed to keep the objective: doubt goes against the candidate. That share is an estimate,
so the 5 % are proven for candidates that keep the objectives, and measured for this case (docs/performance.md).

*The hard floor* is the exception: when more than a fifth of the candidate's requests fail, whatever the primary does,
the change is taken back, since it may be what breaks both (a cache, a node, a database that they share). It must also
be more than chance explains within the objective; that evidence comes from the same mean, so the 5 % include it.

What callers owe: intervals whose bounds depend on time alone, that are over, with one traffic split throughout, long
enough that most hold requests of both sides (others teach little); counts of requests that fail independently of each
other. Bursts make the evidence too large; docs/judge.md says by how much.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from slipway.rollout.policy import LIMIT

#: How many times worse a candidate may be, each as likely as the others (mixture as in Robbins 1970).
#: Below 1.5 nothing is looked for: a candidate that is a tenth worse is never rolled back for that.
RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0)
#: The signal that has a hard floor: failing is beyond dispute, slow or wrong depend on an objective.
FLOORED = "errors"
#: More than this share of bad is breakage, once so many requests were made.
FLOOR_SHARE = 0.2
FLOOR_REQUESTS = 20
#: Up to this part of what the objective allows, a candidate may be worse than its primary. Without it, 4 slow answers
#: of 1,000 condemn where 50 may be slow, beside a perfect primary; with it 27, for one minute more until ten times the
#: errors are found; with a half 45, for seven minutes more (simulated: 10 requests a second, three signals).
TOLERATED = 0.25
#: How many standard errors the primary's share is taken higher than it was counted: two, the usual 95 %. With none, up
#: to 14 % of candidates that equal a bad primary are rolled back at a weight of 50, with one 5.5 %, with two 4.1 %
#: (simulated: 1 or 10 requests a second, 1.5 to 5 % errors where 1 % is allowed).
ERRORS_OF_PRIMARY = 2.0
#: Natural logarithm near which a float ends.
_LARGEST = 700.0
#: How people say that a request was bad, by the first letters of the signal's name.
_WORDS = {"errors": "failed", "slow": "were too slow", "wrong": "were wrong"}


@dataclass(frozen=True)
class Window:
    """The requests of one interval.

    Raises:
        ValueError: More are bad than there were, or a count is negative.
    """

    canary: int
    canary_bad: int
    primary: int
    primary_bad: int

    def __post_init__(self) -> None:
        if not (0 <= self.canary_bad <= self.canary and 0 <= self.primary_bad <= self.primary):
            raise ValueError(f"{self}: expected 0 <= bad <= all")


@dataclass(frozen=True)
class Signal:
    """One way to be bad: its counts since the rollout began, with the share of bad that the objective allows.

    Raises:
        ValueError: `allowed` is not a share below 1.
    """

    name: str
    windows: tuple[Window, ...]
    allowed: float

    def __post_init__(self) -> None:
        if not 0 <= self.allowed < 1:
            raise ValueError(f"signal {self.name}: allowed is {self.allowed}, expected 0 <= allowed < 1")


@dataclass(frozen=True)
class Evidence:
    """What one signal says in one comparison; the counts are totals of its windows."""

    signal: str
    against: Literal["primary", "objective"]
    e_value: float
    canary: int
    canary_bad: int
    primary: int
    primary_bad: int


@dataclass(frozen=True)
class Verdict:
    """All signals together: `e_value` is what Flagger sees, `strongest` the comparison that says most."""

    e_value: float
    broken: bool
    strongest: Evidence | None
    reason: str


def verdict(signals: Sequence[Signal]) -> Verdict:
    """Weigh all signals; without any traffic of the candidate the verdict is 1, which says nothing."""
    if not signals:
        return Verdict(1.0, False, None, "no signal to judge by")
    comparisons = [comparison for signal in signals for comparison in _compare(signal)]
    e_value = _value(_log_mean([log for log, _, _ in comparisons]))
    numbers = f"(evidence {_readable(e_value)}, limit {LIMIT:.0f})"
    _, allowed, strongest = max(comparisons, key=lambda one: one[0])
    broken = next((signal for signal in signals if _is_broken(signal, len(comparisons))), None)
    if broken is not None:
        reason = f"{_counted(broken.name, _total(broken.windows))}, more than {_percent(FLOOR_SHARE)} {numbers}"
        return Verdict(e_value, True, strongest, reason)
    if not any(evidence.canary for _, _, evidence in comparisons):
        return Verdict(e_value, False, None, f"the candidate was not asked yet {numbers}")
    reason = _counted(strongest.signal, strongest)
    if strongest.primary:
        reason += f", {strongest.primary_bad} of {strongest.primary} on the primary"
    if strongest.against == "objective":
        reason += f", {_percent(allowed)} allowed"
    return Verdict(e_value, False, strongest, f"{reason} {numbers}")


def _compare(signal: Signal) -> Iterator[tuple[float, float, Evidence]]:
    """Yield, for both questions, the logarithm of the e-value, what is allowed and the evidence."""
    total = _total(signal.windows)
    both = [one for one in signal.windows if one.canary and one.primary]
    of_bad = [(one.canary_bad + one.primary_bad, one.canary / (one.canary + one.primary)) for one in both]
    beyond = _log_evidence(total.canary_bad, [(total.canary, TOLERATED * signal.allowed)])
    by_primary = min(_log_evidence(sum(one.canary_bad for one in both), of_bad), beyond) if both else 0.0
    by_objective = _log_evidence(total.canary_bad, [(total.canary, _excused(signal.allowed, both))])
    counts = (total.canary, total.canary_bad, total.primary, total.primary_bad)
    yield by_primary, signal.allowed, Evidence(signal.name, "primary", _value(by_primary), *counts)
    yield by_objective, signal.allowed, Evidence(signal.name, "objective", _value(by_objective), *counts)


def _excused(allowed: float, both: Sequence[Window]) -> float:
    """The share of bad that does not speak against the candidate: the allowed one, or the primary's if that is more.

    The primary's is what its share in each interval makes of the candidate's requests, plus `ERRORS_OF_PRIMARY`
    standard errors (bad requests as Poisson counts).
    """
    asked = sum(one.canary for one in both)
    if not asked:
        return allowed
    expected = math.fsum(one.canary * one.primary_bad / one.primary for one in both)
    variance = math.fsum((one.canary / one.primary) ** 2 * one.primary_bad for one in both)
    return max(allowed, min(1.0, (expected + ERRORS_OF_PRIMARY * math.sqrt(variance)) / asked))


def _is_broken(signal: Signal, comparisons: int) -> bool:
    total = _total(signal.windows)
    if signal.name != FLOORED or total.canary < FLOOR_REQUESTS:
        return False
    beyond_chance = _log_evidence(total.canary_bad, [(total.canary, signal.allowed)])
    return total.canary_bad > FLOOR_SHARE * total.canary and beyond_chance >= math.log(LIMIT * comparisons)


def _log_evidence(bad: int, draws: Iterable[tuple[int, float]]) -> float:
    """Logarithm of the mean over `RATIOS` of the likelihood ratios of `bad` hits in draws.

    A draw is (how many, the probability of a hit for an innocent candidate). `math.fsum` rounds once, so the order of
    the draws does not matter.
    """
    drawn = [(count, share) for count, share in draws if count]
    return _log_mean(
        [
            bad * math.log(ratio) - math.fsum(count * math.log1p((ratio - 1) * share) for count, share in drawn)
            for ratio in RATIOS
        ]
    )


def _log_mean(logs: Sequence[float]) -> float:
    """Logarithm of the mean of what these are the logarithms of."""
    largest = max(logs)
    return largest + math.log(math.fsum(math.exp(one - largest) for one in logs) / len(logs))


def _value(log: float) -> float:
    return math.exp(min(log, _LARGEST))


def _total(windows: Sequence[Window]) -> Window:
    return Window(
        sum(one.canary for one in windows),
        sum(one.canary_bad for one in windows),
        sum(one.primary for one in windows),
        sum(one.primary_bad for one in windows),
    )


def _counted(name: str, total: Window | Evidence) -> str:
    were = next((words for start, words in _WORDS.items() if name.startswith(start)), "were bad")
    return f"{name}: {total.canary_bad} of {total.canary} {were} on the candidate"


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _readable(e_value: float) -> str:
    return f"{e_value:.1f}" if e_value < 100 else f"{e_value:.0f}" if e_value < 1e6 else "over a million"
