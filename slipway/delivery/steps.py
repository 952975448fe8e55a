"""Commands in steps, after any of which the process may die.

Every step checks whether it is done already, so the same command run again continues where the last one stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slipway.errors import ExitCode, SlipwayError


@dataclass(frozen=True)
class Step:
    """One step of a command.

    Args:
        name: Its name.
        do: Run the step; return what was done in one line, empty if nothing was left to do.
        may_wait: Whether later steps are run although this one's server cannot be reached.
    """

    name: str
    do: Callable[[], str]
    may_wait: bool = False


def take(steps: Sequence[Step]) -> list[str]:
    """Run steps in order; return what was done.

    Raises:
        SlipwayError: A step failed; for one that may wait, the error is raised after the other steps.
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
