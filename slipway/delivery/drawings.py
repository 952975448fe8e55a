"""The geometry of a rollout's charts, in pixels.

All panels of a rollout share the time axis. A missing measurement is a gap, never a zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from slipway.delivery import readings
from slipway.delivery.record import RolloutRecord
from slipway.rollout.policy import LIMIT, Policy

#: Pixels: the width of the drawing, the margin for the scale, the margin for the names of lines.
WIDTH, LEFT, RIGHT = 900, 56, 124
#: Pixels: the margin for the numbers of decisions, the height of a panel, of its title, of the time axis.
TOP, PANEL, TITLE, BOTTOM = 26, 84, 36, 26
#: Least pixels between two names at the ends of lines.
APART = 13
#: Most lines of a scale, most times on the time axis.
SCALE_LINES, TIMES = 3, 8
#: Possible seconds between two times.
_PACES = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


@dataclass(frozen=True)
class Dot:
    """One measurement on a line."""

    x: float
    y: float
    said: str


@dataclass(frozen=True)
class Line:
    """Measurements of one side; `segments` are the runs without a gap, as SVG points."""

    side: str
    name: str
    name_y: float
    segments: tuple[str, ...]
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Rule:
    """A horizontal line: one of the scale, or an objective."""

    y: float
    said: str


@dataclass(frozen=True)
class Panel:
    """One chart; `area` is the outline of a filled shape, or empty."""

    title: str
    top: float
    scale: tuple[Rule, ...]
    bound: Rule | None
    lines: tuple[Line, ...]
    area: str = ""


@dataclass(frozen=True)
class Mark:
    """A time on the time axis, or the number of a decision."""

    x: float
    said: str
    kind: str = ""


@dataclass(frozen=True)
class Charts:
    """All charts of one rollout."""

    height: float
    panels: tuple[Panel, ...]
    times: tuple[Mark, ...]
    decisions: tuple[Mark, ...]


@dataclass(frozen=True)
class _Scale:
    """Scale from values to pixels below the panel's top; logarithmic for evidence, which multiplies."""

    low: float
    high: float
    logarithmic: bool = False

    def y(self, value: float) -> float:
        low, high, value = self.low, self.high, min(max(value, self.low), self.high)
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return round(PANEL * (1 - (value - low) / (high - low)), 1)


def charts(record: RolloutRecord) -> Charts:
    """Lay out the charts of one rollout."""
    policy = Policy.parse(record.policy) if record.policy else None
    span = max(readings.duration(record), 1.0)

    def x(moment: str) -> float:
        share = min(max(readings.seconds(record, moment) / span, 0.0), 1.0)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    panels = list(_panels(record, policy, x))
    placed = [replace(panel, top=TOP + TITLE + number * (PANEL + TITLE)) for number, panel in enumerate(panels)]
    return Charts(
        height=TOP + len(panels) * (PANEL + TITLE) + BOTTOM,
        panels=tuple(placed),
        times=tuple(_times(span)),
        decisions=tuple(
            Mark(x(decision.at), f"{number}", decision.kind) for number, decision in enumerate(record.decisions, 1)
        ),
    )


def _panels(record: RolloutRecord, policy: Policy | None, x: Callable[[str], float]) -> Iterator[Panel]:
    yield _traffic(record, x)
    latency, success, correct = (
        (policy.latency_p95_ms, policy.success_rate_percent, policy.correct_percent) if policy else (None, None, None)
    )
    yield _both(record, x, "Latency, 95th percentile", "ms", "latency_p95_ms", latency)
    yield _both(record, x, "Requests answered", "%", "success_percent", success)
    if any(side.labelled for point in record.points for side in (point.primary, point.canary)):
        yield _both(record, x, "Labelled predictions that were right", "%", "correct_percent", correct)
    if readings.evidence(record) is not None:
        yield _evidence(record, x)


def _traffic(record: RolloutRecord, x: Callable[[str], float]) -> Panel:
    scale, corners, before = _Scale(0, 100), list[str](), 0
    for at, weight in _weights(record):
        # A weight holds until the next one.
        corners += [f"{x(at)},{scale.y(before)}", f"{x(at)},{scale.y(weight)}"]
        before = weight
    end = x(record.ended or record.points[-1].at) if record.points else LEFT
    area = " ".join([f"{LEFT},{PANEL}", *corners, f"{end},{scale.y(before)}", f"{end},{PANEL}"])
    rules = tuple(Rule(scale.y(value), f"{value} %") for value in (0, 50, 100))
    return Panel("Traffic of the candidate", 0, rules, None, (), area)


def _weights(record: RolloutRecord) -> list[tuple[str, int]]:
    """Return the candidate's weights by time: from the decisions, which are exact, or else from the points."""
    given = [(decision.at, decision.weight) for decision in record.decisions if decision.kind == "advanced"]
    if not given:
        return [(point.at, point.weight) for point in record.points]
    taken = [decision.at for decision in record.decisions if decision.kind in ("rolled-back", "aborted")]
    return [*given, *((at, 0) for at in (taken or [record.ended])[:1] if at)]


def _both(
    record: RolloutRecord,
    x: Callable[[str], float],
    title: str,
    unit: Literal["ms", "%"],
    measure: Literal["latency_p95_ms", "success_percent", "correct_percent"],
    bound: float | None,
) -> Panel:
    versions = {"primary": record.stable_version, "canary": record.candidate_version}
    rows: dict[str, list[tuple[str, float | None]]] = {
        side: [(point.at, getattr(getattr(point, side), measure)) for point in record.points] for side in versions
    }
    known = [each for row in rows.values() for _, each in row if each is not None]
    known += [] if bound is None else [bound]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    # The scale of a rate ends at 100 %, that of a latency begins at zero.
    scale = _Scale(max(0.0, low - (100 - low) * 0.15 - 0.5), 100) if unit == "%" else _Scale(0.0, max(high * 1.1, 1.0))
    lines = [_line(side, f"v{versions[side]}", row, x, scale.y, unit) for side, row in rows.items() if row]
    rule = None if bound is None else Rule(scale.y(bound), f"objective {bound:g} {unit}")
    return Panel(f"{title}, {unit}", 0, tuple(_rules(scale)), rule, _named_apart(lines))


def _evidence(record: RolloutRecord, x: Callable[[str], float]) -> Panel:
    found = [(point.at, point.evidence) for point in record.points]
    highest = max(value for _, value in found if value is not None)
    scale = _Scale(0.1, max(100.0, min(highest * 2, 1e12)), logarithmic=True)
    row = [(at, None if value is None else max(value, scale.low)) for at, value in found]
    line = _line("canary", "evidence", row, x, scale.y, "")
    powers = [10.0**power for power in range(-1, 13) if 10.0**power <= scale.high]
    steps = powers[:: math.ceil(len(powers) / SCALE_LINES)]
    rules = tuple(Rule(scale.y(value), f"{value:g}") for value in steps)
    title = "Evidence against the candidate (e-value, logarithmic)"
    return Panel(title, 0, rules, Rule(scale.y(LIMIT), f"rolls back at {LIMIT:g}"), (line,))


def _line(
    side: str,
    name: str,
    row: Sequence[tuple[str, float | None]],
    x: Callable[[str], float],
    y: Callable[[float], float],
    unit: str,
) -> Line:
    dots, segments = list[Dot](), list[str]()
    for known, run in groupby(row, key=lambda each: each[1] is not None):
        if known:
            found = [Dot(x(at), y(value), f"{name}: {value:,.4g} {unit}") for at, value in run if value is not None]
            dots += found
            segments.append(" ".join(f"{dot.x},{dot.y}" for dot in found))
    return Line(side, name, dots[-1].y if dots else PANEL, tuple(segments), tuple(dots))


def _named_apart(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Move the names at the ends of two lines apart."""
    if len(lines) != 2 or abs(lines[0].name_y - lines[1].name_y) >= APART:
        return tuple(lines)
    middle = (lines[0].name_y + lines[1].name_y) / 2
    upper = 0 if lines[0].name_y <= lines[1].name_y else 1
    moved = {upper: middle - APART / 2, 1 - upper: middle + APART / 2}
    return tuple(replace(line, name_y=moved[number]) for number, line in enumerate(lines))


def _rules(scale: _Scale) -> Iterator[Rule]:
    raw = (scale.high - scale.low) / SCALE_LINES
    size = 10.0 ** math.floor(math.log10(raw))
    pace = next(each for each in (size, 2 * size, 5 * size, 10 * size) if each >= raw)
    value = math.ceil(scale.low / pace) * pace
    while value <= scale.high + pace * 1e-9:
        yield Rule(scale.y(value), f"{value:g}")
        value += pace


def _times(span: float) -> Iterator[Mark]:
    pace = next((each for each in _PACES if span / each <= TIMES), _PACES[-1])
    for moment in range(0, int(span) + 1, pace):
        yield Mark(round(LEFT + moment / span * (WIDTH - LEFT - RIGHT), 1), readings.clock(moment))
