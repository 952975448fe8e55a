"""Sequential evidence against a candidate, valid at any moment of a rollout.

Each signal counts bad requests (failed, slow, wrong) among all, by interval, of the candidate ("canary") and of the
primary at the same time. Two comparisons are made for each signal. The result of each is an e-value: a number that is 1
without data, and whose expectation is at most 1 while the candidate is innocent, however often one looks.

*Against the primary.* Given that n requests of an interval were bad, and that the candidate got the share p of its
traffic, each of them was the candidate's with probability at most p if it is not worse. The alternative gives the
candidate `ratio` times the primary's share of bad: probability ratio p / (1 - p + ratio p). The evidence is the
likelihood ratio of both, the product over the intervals, the mean over `RATIOS`. An outage that hits both alike
cancels, since only requests of one interval are compared. With many bad requests their number is hypergeometric, with
less spread than this binomial: then the expectation is below 1, never above (Hoeffding 1963). A candidate counts as
worse only as far as it also exceeds a quarter of what the objective allows (the smaller of both e-values, which is an
e-value if the candidate is innocent of either): four slow answers of a thousand, where fifty are allowed, are a cold
start, however perfect the primary is.

*Against the objective.* The same with a known share: each request of the candidate is bad with probability at most
`allowed`; the alternative multiplies the odds. It decides where the primary has few requests or none, as at weight
100. With `allowed` 0 it takes two or three bad requests, not one.

*Together.* `Verdict.e_value` is the mean over both comparisons of all signals. The mean of e-values is an e-value even
if they depend on each other (a request may be slow because it fails). By Ville's inequality it ever reaches 20 with a
probability of at most 1/20: of candidates that keep the objectives and are as good as their primaries, at most one in
twenty is rolled back, by any signal, however often Flagger asks. With three signals, the largest instead of the mean
would be wrong up to six times as often. The price: one comparison alone must reach 20 times the number of comparisons.
The number of signals must stay the same during a rollout; one without traffic counts 1.

*A primary that breaks its objective.* A candidate that is no worse is not rolled back: users would get the same
failures from the primary, and a version that fixes half of them could never go live. So where the primary exceeds
`allowed`, its own share replaces it, in the intervals and with the weights of the candidate's requests. Until the
primary has shown bad requests, it is presumed to keep the objective: doubt goes against the candidate. That share is an
estimate: the 5 % are proven for candidates that keep the objectives, and measured for this case (docs/performance.md).

*The hard floor* is the exception: a candidate is rolled back when more than a fifth of its requests fail, whatever the
primary does, since it may be what breaks both (a shared cache, node or database). The failures must also be more than
chance explains within the objective; that evidence comes from the same mean, so the 5 % include it.

Callers must pass intervals that are over, whose bounds depend on time alone, with one traffic split throughout, and
long enough that most hold requests of both sides. Requests must fail independently of each other: bursts make the
evidence too large (docs/judge.md says by how much).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from slipway.rollout.policy import LIMIT

#: Ratios of a worse candidate, equally likely (mixture as in Robbins 1970). None is below 1.5: a candidate that is a
#: tenth worse is never rolled back for that.
RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0)
#: The signal with a hard floor: slow and wrong depend on an objective, failures do not.
FLOORED = "errors"
#: Share of bad requests above which a candidate is broken, and the requests that this takes.
FLOOR_SHARE = 0.2
FLOOR_REQUESTS = 20
#: Part of what the objective allows up to which a candidate may be worse than its primary. Without it, 4 slow answers
#: of 1,000 condemn beside a perfect primary where 50 are allowed; with it 27, and ten times the errors are found one
#: minute later; with a half 45 and seven minutes (simulated: 10 requests a second, three signals).
TOLERATED = 0.25
#: Standard errors added to the primary's counted share: two, the usual 95 %. Of candidates that equal a bad primary, up
#: to 14 % are rolled back at a weight of 50 with none, 5.5 % with one, 4.1 % with two (simulated: 1 or 10 requests a
#: second, 1.5 to 5 % errors where 1 % is allowed).
ERRORS_OF_PRIMARY = 2.0
#: Natural logarithm near that of the largest float.
_LARGEST = 700.0
#: Words for a bad request, by the first letters of the signal's name.
_WORDS = {"errors": "failed", "slow": "were too slow", "wrong": "were wrong"}


@dataclass(frozen=True)
class Window:
    """Requests of one interval. Raises ValueError if a count is negative or more are bad than there are."""

    canary: int
    canary_bad: int
    primary: int
    primary_bad: int

    def __post_init__(self) -> None:
        if not (0 <= self.canary_bad <= self.canary and 0 <= self.primary_bad <= self.primary):
            raise ValueError(f"{self}: expected 0 <= bad <= all")


@dataclass(frozen=True)
class Signal:
    """Counts of one kind of bad request since the rollout began, and the share that the objective allows.

    Raises ValueError if `allowed` is not a share below 1.
    """

    name: str
    windows: tuple[Window, ...]
    allowed: float

    def __post_init__(self) -> None:
        if not 0 <= self.allowed < 1:
            raise ValueError(f"signal {self.name}: allowed is {self.allowed}, expected 0 <= allowed < 1")


@dataclass(frozen=True)
class Evidence:
    """Evidence of one signal in one comparison; the counts are totals of its windows."""

    signal: str
    against: Literal["primary", "objective"]
    e_value: float
    canary: int
    canary_bad: int
    primary: int
    primary_bad: int


@dataclass(frozen=True)
class Verdict:
    """Evidence of all signals: `e_value` is what Flagger sees, `strongest` the comparison with the largest."""

    e_value: float
    broken: bool
    strongest: Evidence | None
    reason: str


def verdict(signals: Sequence[Signal]) -> Verdict:
    """Weigh all signals; without traffic of the candidate the e-value is 1."""
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
    """Yield for both comparisons the logarithm of the e-value, the allowed share and the evidence."""
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
    """Return the share of bad that does not speak against the candidate: the allowed or the primary's, if larger.

    The primary's is its share in each interval, weighted by the candidate's requests, plus `ERRORS_OF_PRIMARY` standard
    errors (bad requests as Poisson counts).
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
    """Return the logarithm of the mean over `RATIOS` of the likelihood ratios of `bad` hits in draws.

    A draw is (count, probability of a hit for an innocent candidate). `math.fsum` rounds once, so the order of draws
    does not matter.
    """
    drawn = [(count, share) for count, share in draws if count]
    return _log_mean(
        [
            bad * math.log(ratio) - math.fsum(count * math.log1p((ratio - 1) * share) for count, share in drawn)
            for ratio in RATIOS
        ]
    )


def _log_mean(logs: Sequence[float]) -> float:
    """Return the logarithm of the mean of numbers, from their logarithms."""
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
