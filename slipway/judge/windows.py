"""The windows that a rollout is counted by."""

from __future__ import annotations

from dataclasses import dataclass

#: A run of more windows than that is looked at in coarser ones; Prometheus itself gives at most 11 000 points.
MAX_WINDOWS = 1000


@dataclass(frozen=True)
class Grid:
    """Ends of windows: equally spaced from `start` to `last`, with the beginning of the weight, and now."""

    start: float
    step: float
    last: float
    since: float
    now: float

    @property
    def others(self) -> tuple[float, ...]:
        """Those that are not among the equally spaced ones."""
        inside = {at for at in (self.since, self.now) if self.start < at <= self.now}
        return tuple(sorted(inside - set(self._regular())))

    @property
    def judged(self) -> tuple[float, ...]:
        """The equally spaced ones, with now where a window is all but over.

        Flagger's ticks fall on the ends of these windows, within a second either way. A window that has just begun
        waits for the next tick: its requests are few, and it would be another window then.
        """
        regular = self._regular()
        return (*regular, self.now) if self.now - self.last >= self.step / 2 else regular

    @property
    def times(self) -> tuple[float, ...]:
        """All of them, in order."""
        return tuple(sorted({*self.others, *self._regular()}))

    def _regular(self) -> tuple[float, ...]:
        steps = round((self.last - self.start) / self.step)
        return tuple(round(self.start + index * self.step, 3) for index in range(steps + 1))


def grid(start: float, now: float, interval: float, since: float) -> Grid:
    """Lay windows over a run: one for every interval from the start.

    Where that would be more than MAX_WINDOWS, the windows are twice as long, or four times, and so on: they depend on
    the time alone, never on what was counted.
    """
    now, step = max(start, now), interval
    while (now - start) / step > MAX_WINDOWS:
        step *= 2
    last = start + int((now - start) / step) * step
    # To the millisecond, as Prometheus gives times.
    return Grid(*(round(at, 3) for at in (start, step, last, since, now)))
