"""The windows of a rollout's counts."""

from __future__ import annotations

from dataclasses import dataclass

#: Windows of one rollout at most; a longer rollout has longer ones. Prometheus returns at most 11,000 points.
MAX_WINDOWS = 1000


@dataclass(frozen=True)
class Grid:
    """Ends of windows: equally spaced from `start` to `last`, the start of the weight, and now."""

    start: float
    step: float
    last: float
    since: float
    now: float

    @property
    def others(self) -> tuple[float, ...]:
        """The ends that are not among the equally spaced ones."""
        inside = {at for at in (self.since, self.now) if self.start < at <= self.now}
        return tuple(sorted(inside - set(self._regular())))

    @property
    def judged(self) -> tuple[float, ...]:
        """The equally spaced ends, and now where at least half of a window is over.

        Flagger's checks fall on the ends of these windows, within a second. A window that has just begun waits for the
        next check: its requests are few, and it would be another window then.
        """
        regular = self._regular()
        return (*regular, self.now) if self.now - self.last >= self.step / 2 else regular

    @property
    def times(self) -> tuple[float, ...]:
        """All ends, in order."""
        return tuple(sorted({*self.others, *self._regular()}))

    def _regular(self) -> tuple[float, ...]:
        steps = round((self.last - self.start) / self.step)
        return tuple(round(self.start + index * self.step, 3) for index in range(steps + 1))


def grid(start: float, now: float, interval: float, since: float) -> Grid:
    """Return the windows of a rollout: one for each interval from its start.

    Above MAX_WINDOWS, windows are twice as long, or four times, and so on: they depend on time alone, never on counts.
    """
    now, step = max(start, now), interval
    while (now - start) / step > MAX_WINDOWS:
        step *= 2
    last = start + int((now - start) / step) * step
    # To the millisecond, as Prometheus gives times.
    return Grid(*(round(at, 3) for at in (start, step, last, since, now)))
