"""Thin samples of each version's recent inputs.

Pure: times are arguments, in seconds of any monotonic clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from slipway.observe.messages import Input

Row = Mapping[str, Input]

#: Age in seconds up to which inputs are recent.
RECENT_SECONDS = 600.0
#: Seconds of a slot, and inputs kept of one slot. So the sample of a version with 90 % of the traffic spans as long
#: as one with 10 %, whatever the rate: 2,400 rows at most.
SLOT_SECONDS = 5.0
SLOT_ROWS = 20
#: Values kept of one version at most, for models with many columns: all rows of 30 columns, 360 rows of 200. A value
#: takes about 70 bytes.
KEPT_VALUES = 72_000
#: Rows of a model's earliest window: 75 s of traffic at least.
REFERENCE_ROWS = 300


@dataclass(frozen=True, slots=True)
class Sample:
    """Inputs of one prediction, with its slot of time."""

    slot: int
    row: Row


class Samples:
    """Recent inputs of one version."""

    def __init__(self) -> None:
        self._kept: deque[Sample] = deque()
        self._slot, self._in_slot = -1, 0

    def add(self, row: Row, now: float) -> Sample | None:
        """Keep a row unless its slot is full; return it if it was kept."""
        slot = int(now // SLOT_SECONDS)
        if slot != self._slot:
            self._slot, self._in_slot = slot, 0
        if self._in_slot == SLOT_ROWS:
            return None
        self._in_slot += 1
        sample = Sample(slot, row)
        self._kept.append(sample)
        while len(self._kept) * len(row) > KEPT_VALUES:
            self._kept.popleft()
        self._forget(now)
        return sample

    def recent(self, now: float) -> list[Sample]:
        """Return the recent samples, oldest first."""
        self._forget(now)
        return list(self._kept)

    def _forget(self, now: float) -> None:
        oldest = int((now - RECENT_SECONDS) // SLOT_SECONDS)
        while self._kept and self._kept[0].slot < oldest:
            self._kept.popleft()


def matched(one: Iterable[Sample], other: Iterable[Sample]) -> tuple[list[Row], list[Row]]:
    """Return equally many rows of both versions from each slot of time.

    While weights move, one version has more early rows, the other more late ones: compared directly, a change of the
    users' requests over time would look like a difference between the versions.
    """
    ones, others = _by_slot(one), _by_slot(other)
    rows: tuple[list[Row], list[Row]] = ([], [])
    for slot in ones.keys() & others.keys():
        count = min(len(ones[slot]), len(others[slot]))
        rows[0].extend(ones[slot][:count])
        rows[1].extend(others[slot][:count])
    return rows


def _by_slot(samples: Iterable[Sample]) -> dict[int, Sequence[Row]]:
    slots: dict[int, list[Row]] = {}
    for sample in samples:
        slots.setdefault(sample.slot, []).append(sample.row)
    return dict(slots)
