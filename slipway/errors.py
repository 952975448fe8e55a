"""The one error that a user is meant to read."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of `slipway`, documented in docs/commands.md."""

    OK = 0
    #: The input is wrong: a file, a setting, an argument.
    USER = 2
    #: Something outside could not be reached: registry, artifact store, cluster.
    UNREACHABLE = 3
    #: Another writer is at work: a locked stack, a running lab.
    BUSY = 4
    #: This machine lacks something: user namespaces, a toolchain.
    MACHINE = 5


class SlipwayError(Exception):
    """One line for a person: the thing, the file and field, what was expected, what to do.

    Args:
        message: The line; no newline in it.
        exit_code: What the command exits with.
    """

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.USER) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class NotYet(SlipwayError):
    """What is asked for does not exist, for sure: the program is what makes it.

    Args:
        message: The line.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.UNREACHABLE)


def at(file: str, line: int | None = None, field: str | None = None) -> str:
    """Say where, as the prefix of a message: `models/churn.yaml:12: rollout.steps: `."""
    where = f"{file}:{line}" if line else file
    return f"{where}: {field}: " if field else f"{where}: "
