"""Commands in steps, each of which may be the last one before the process dies.

Every step finds out by itself whether it is done already, so that the same command run again goes on where the last
one stopped, to the same end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slipway.errors import ExitCode, SlipwayError


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Args:
        name: What it is called.
        do: Does it; returns what was done in one line, nothing where nothing was left to do.
        may_wait: Whether the rest may go on while this cannot be reached.
    """

    name: str
    do: Callable[[], str]
    may_wait: bool = False


def take(steps: Sequence[Step]) -> list[str]:
    """Do steps in their order; returns what was done.

    Raises:
        SlipwayError: A step failed; one that may wait lets the others be done first.
    """
    said: list[str] = []
    waits: SlipwayError | None = None
    for step in steps:
        try:
            said.append(step.do())
        except SlipwayError as error:
            if not (step.may_wait and error.exit_code is ExitCode.UNREACHABLE):
                raise
            waits = error
    if waits is not None:
        raise SlipwayError(f"{waits}; all else is done: run the same command again", waits.exit_code)
    return [line for line in said if line]
