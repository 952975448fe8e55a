"""Drift between two samples of inputs, column by column.

Pure. The numerics are scipy's, imported late, since that takes a second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slipway.observe.messages import Input, Stream
from slipway.observe.samples import Row

#: Rows that each side must have for a result. With 100 on both sides and 30 columns, the corrected test just detects a
#: difference in distribution of 0.3; with fewer, "no drift" would mean nothing.
MIN_ROWS = 100
#: Chance that any column of a comparison is falsely called drifted, shared among the columns (Bonferroni). It holds for
#: one comparison: of a thousand, ten are false.
LEVEL = 0.01
#: Expected count of a category on either side, for the chi-squared test to hold (Cochran 1954).
MIN_EXPECTED = 5
#: Value of `against` for a comparison with the model's earliest window.
REFERENCE = "reference"


@dataclass(frozen=True)
class Comparison:
    """Two samples of inputs: those of a version, and those that it is compared with.

    Args:
        against: The other version, or REFERENCE.
    """

    stream: Stream
    against: str
    rows: Sequence[Row]
    others: Sequence[Row]


@dataclass(frozen=True)
class Difference:
    """Distance of one column's distributions, 0 to 1, with its probability if they were the same."""

    distance: float
    p: float


@dataclass(frozen=True)
class Drift:
    """Result of a comparison."""

    stream: Stream
    against: str
    columns: dict[str, Difference]

    @property
    def drifted_share(self) -> float:
        """Share of the columns that differ by more than chance explains."""
        return sum(each.p < LEVEL / len(self.columns) for each in self.columns.values()) / len(self.columns)


def enough(comparison: Comparison) -> bool:
    """Return whether both sides have enough rows for a result."""
    return min(len(comparison.rows), len(comparison.others)) >= MIN_ROWS


def measure(comparison: Comparison) -> Drift | None:
    """Compare all columns of either side; None where there are too few rows."""
    if not enough(comparison):
        return None
    rows, others = comparison.rows, comparison.others
    names = sorted({name for row in (*rows, *others) for name in row})
    columns = {name: difference([r.get(name) for r in rows], [r.get(name) for r in others]) for name in names}
    return Drift(comparison.stream, comparison.against, columns) if columns else None


def difference(one: Sequence[Input], other: Sequence[Input]) -> Difference:
    """Compare two samples of one column.

    Numbers by the two-sample Kolmogorov-Smirnov test, whose distance is the largest gap between the distribution
    functions; others by the total variation distance of the categories, with a chi-squared test. Both distances are
    largest differences in probability. A missing value is smaller than each number, or a separate category: so a
    column that one side lacks has the distance 1.
    """
    if all(isinstance(value, int | float) or value is None for value in (*one, *other)):
        return _numbers(_filled(one), _filled(other))
    return _categories(one, other)


def _filled(values: Sequence[Input]) -> list[float]:
    return [-float("inf") if value is None else float(value) for value in values]


def _numbers(one: Sequence[float], other: Sequence[float]) -> Difference:
    from scipy import stats

    # The exact distribution costs more with each row, and does not differ at this many.
    found = stats.ks_2samp(one, other, method="asymp")
    return Difference(float(found.statistic), float(found.pvalue))


def _categories(one: Sequence[Input], other: Sequence[Input]) -> Difference:
    import numpy
    from scipy import stats

    counts = numpy.array(_pooled(Counter(map(repr, one)), Counter(map(repr, other))), dtype=float)
    shares = counts / counts.sum(axis=1, keepdims=True)
    distance = float(abs(shares[0] - shares[1]).sum() / 2)
    if counts.shape[1] == 1:
        return Difference(distance, 1.0)
    # The table has at least two columns and no empty one, since rare categories are pooled.
    found: Any = stats.chi2_contingency(counts, correction=False)
    return Difference(distance, float(found.pvalue))


def _pooled(one: Counter[str], other: Counter[str]) -> tuple[list[int], list[int]]:
    """Count each side's categories, rare ones together, since two samples of the same have different ones."""
    smaller = min(one.total(), other.total()) / (one.total() + other.total())
    both = one + other
    common = sorted(name for name, count in both.items() if count * smaller >= MIN_EXPECTED)
    counts = tuple([side[name] for name in common] for side in (one, other))
    rest = tuple(side.total() - sum(found) for side, found in zip((one, other), counts, strict=True))
    if any(rest):
        return [*counts[0], rest[0]], [*counts[1], rest[1]]
    return counts[0], counts[1]
