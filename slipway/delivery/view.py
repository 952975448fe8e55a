"""The live view of rollouts in a terminal, drawn from their records."""

from __future__ import annotations

import math
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TextIO

from slipway.delivery import readings
from slipway.delivery.record import Measured, RolloutRecord
from slipway.errors import ExitCode, SlipwayError
from slipway.rollout.policy import LIMIT

if TYPE_CHECKING:
    from rich.console import RenderableType

#: Columns and lines that the view may use.
WIDTH, HEIGHT = 100, 30
#: Seconds between two looks.
PERIOD = 1.0
#: Seconds after the end until the last counts have been scraped.
LAST = 3.0
#: Seconds between two lines without a change.
HEARTBEAT = 10.0
#: Cells of a bar.
BAR = 40
#: Colours of outcomes.
_STYLES = {"running": "cyan", "promoted": "green", "failed": "red", "aborted": "yellow"}

#: Returns the rollouts that have begun, by model.
Look = Callable[[], Mapping[str, RolloutRecord]]


def watch(
    look: Look,
    models: Sequence[str],
    *,
    limit: float,
    out: TextIO | None = None,
    period: float = PERIOD,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, RolloutRecord]:
    """Show rollouts until all have ended; return their last records.

    Args:
        look: Read the records; if the cluster cannot be reached, the last ones stay shown.
        models: Models whose rollouts must end; one without a record is waited for.
        limit: Seconds until the watch fails.
        out: Standard output by default; if it is not a terminal, one line is printed for each change.
        period: Seconds between two looks.
        sleep: Replaces `time.sleep` in tests.

    Raises:
        SlipwayError: A rollout has not ended in time.
    """
    stream = out or sys.stdout
    shown = _Screen(stream) if stream.isatty() else _Lines(stream)
    found: dict[str, RolloutRecord] = {}
    trouble, deadline = "", time.monotonic() + limit
    over = False
    with shown:
        while True:
            try:
                found, trouble = dict(look()), ""
            except SlipwayError as error:
                if error.exit_code is not ExitCode.UNREACHABLE:
                    raise
                trouble = str(error)
            shown.show(models, found, trouble)
            open_ones = [model for model in models if model not in found or found[model].outcome == "running"]
            if not open_ones and (over or not models):
                return found
            if open_ones and time.monotonic() > deadline:
                raise SlipwayError(f"{', '.join(open_ones)}: the rollout has not ended within {limit:.0f} s")
            # The last measurements arrive a little after the end.
            over = not open_ones
            sleep(LAST if over else period)


def line(model: str, record: RolloutRecord | None) -> str:
    """Describe the state of a rollout in one line."""
    if record is None:
        return f"{model}: waits for Flagger to see the change"
    if record.outcome != "running":
        return readings.verdict(record)
    parts = [f"{model}: v{record.stable_version} → v{record.candidate_version}"]
    parts += [f"{readings.phase(record)}, {readings.weight(record)} %"]
    for name, side in (("primary", readings.total(record, "primary")), ("canary", readings.total(record, "canary"))):
        if side.requests:
            cells = (f"{side.requests} requests", *_qualities(side))
            parts.append(f"{name} {', '.join(cell for cell in cells if cell != '-')}")
    if (against := readings.evidence(record)) is not None:
        parts.append(f"evidence {_number(against)} of {LIMIT:g}")
    return "; ".join([*parts, f"waits for {readings.waits_for(record)}"])


def screen(models: Sequence[str], found: Mapping[str, RolloutRecord], trouble: str = "") -> RenderableType:
    """Draw rollouts; up to three fit in a terminal of 30 lines."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for model in models:
        parts += [_heading(model, found.get(model)), *_body(found.get(model)), Text("")]
    if trouble:
        parts.append(Text(f"cannot be seen now: {trouble}", "yellow", overflow="ellipsis", no_wrap=True))
    return Group(*parts)


class _Screen:
    """View that is redrawn in place."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=stream, highlight=False)
        # On a wider screen the numbers would be far from their names.
        console.width = min(console.width, WIDTH)
        self.live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> None:
        self.live.start()

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def show(self, models: Sequence[str], found: Mapping[str, RolloutRecord], trouble: str) -> None:
        """Draw the present records."""
        self.live.update(screen(models, found, trouble), refresh=True)


class _Lines(AbstractContextManager[object]):
    """View that prints a line for each change, and one each `HEARTBEAT` seconds without."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.said: dict[str, tuple[object, float]] = {}

    def __exit__(self, *_: object) -> None:
        """Leave the stream as it is."""

    def show(self, models: Sequence[str], found: Mapping[str, RolloutRecord], trouble: str) -> None:
        """Print a line for each model that has changed."""
        for model in models:
            record, now = found.get(model), time.monotonic()
            state, at = self.said.get(model, (None, -math.inf))
            changed = _state(record, trouble)
            ended = record is not None and record.outcome != "running"
            if changed == state and (ended or now - at < HEARTBEAT):
                continue
            self.said[model] = (changed, now)
            note = f" (cannot be seen now: {trouble})" if trouble and not ended else ""
            self.stream.write(f"  {line(model, record)}{note}\n")
        self.stream.flush()


def _state(record: RolloutRecord | None, trouble: str) -> object:
    """Return the values whose change is printed; counts are none of them, because they always grow."""
    if record is None:
        return trouble
    failed = record.points[-1].failed_checks if record.points else 0
    return record.outcome, readings.phase(record), readings.weight(record), failed, bool(trouble)


def _heading(model: str, record: RolloutRecord | None) -> RenderableType:
    from rich.text import Text

    if record is None:
        return Text.assemble((model, "bold"), "  waits for Flagger to see the change")
    style = _STYLES[record.outcome]
    weight = readings.weight(record)
    state = readings.phase(record) if record.outcome == "running" else readings.OUTCOMES[record.outcome]
    return Text.assemble(
        (f"{model:<22}", "bold"),
        f"v{record.stable_version} → v{record.candidate_version}  ",
        (f"{state:<17}", style),
        f"{weight:>3} % ",
        *_bar(weight / 100, style),
        f" {readings.clock(readings.duration(record)):>5}",
        no_wrap=True,
        overflow="ellipsis",
    )


def _body(record: RolloutRecord | None) -> list[RenderableType]:
    from rich.text import Text

    if record is None:
        return []
    primary, canary = readings.total(record, "primary"), readings.total(record, "canary")
    rows = [Text(f"  {'':<14}{'requests':>10}{'success':>12}{'p95':>12}{'correct':>22}", "dim")]
    names = f"primary v{record.stable_version}", f"canary  v{record.candidate_version}"
    for name, side in zip(names, (primary, canary), strict=True):
        success, p95, correct = _qualities(side)
        rows.append(Text(f"  {name:<14}{side.requests:>10,}{success:>12}{p95:>12}{correct:>22}"))
    against = readings.evidence(record)
    if against is not None:
        # Evidence multiplies with each request, so its bar is logarithmic: from 1, no evidence, to the limit.
        full = min(max(math.log(max(against, 1.0)) / math.log(LIMIT), 0.0), 1.0)
        said = f" {_number(against)} of {LIMIT:g}"
        rows.append(Text.assemble("  evidence      ", *_bar(full, "red" if full >= 1 else "yellow"), said))
    if record.outcome == "running":
        last = Text(f"  waits for {readings.waits_for(record)}", "dim", no_wrap=True, overflow="ellipsis")
    else:
        # At most two lines, so that three rollouts fit.
        why = textwrap.shorten(readings.why(record) or "no reason was recorded", 2 * WIDTH - 20, placeholder=" …")
        last = Text.assemble("  why: ", (why, _STYLES[record.outcome]))
    return [*rows, last]


def _bar(share: float, style: str) -> list[tuple[str, str]]:
    full = round(BAR * share)
    return [("█" * full, style), ("░" * (BAR - full), "dim")]


def _qualities(side: Measured) -> tuple[str, str, str]:
    """Return success rate, p95 and share of right answers; "-" for a missing measurement."""
    correct = readings.percent(side.correct_percent) + (f" of {side.labelled:,}" if side.labelled else "")
    return readings.percent(side.success_percent), readings.milliseconds(side.latency_p95_ms), correct


def _number(value: float) -> str:
    return f"{value:,.1f}" if value < 1000 else f"{value:.1e}"
