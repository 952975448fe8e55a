"""Errors for users, and the exit codes of `slipway`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of `slipway`, each with its meaning; `slipway --help` and docs/commands.md show these texts."""

    meaning: str

    def __new__(cls, value: int, meaning: str = "") -> ExitCode:
        """Return a code with its meaning; `ExitCode(2)` looks one up."""
        made = int.__new__(cls, value)
        made._value_, made.meaning = value, meaning
        return made

    OK = 0, "done"
    NO = 1, "the answer is no: a check found a difference, a rollout was not promoted, or you declined"
    USER = 2, "wrong input: a file, a setting or an argument"
    UNREACHABLE = 3, "something outside could not be reached: registry, artifact store or cluster"
    BUSY = 4, "another writer is at work: a locked stack, a rollout or a running lab"
    MACHINE = 5, "this machine lacks something: user namespaces or a tool"
    #: 128 + SIGINT, as shells report it.
    INTERRUPTED = 130, "interrupted by Control-C"


class SlipwayError(Exception):
    """An error for a user, in one line: the thing, the file and field, what was expected, what to do."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.USER) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class SeveralErrors(SlipwayError):
    """Several errors, one line each.

    The exit code is the lowest one: while an input is wrong (2), to wait for another writer (4) does not help.
    """

    def __init__(self, errors: Sequence[SlipwayError]) -> None:
        super().__init__("\n".join(map(str, errors)), min(error.exit_code for error in errors))


def refuse(problems: Sequence[SlipwayError]) -> None:
    """Raise one error for all problems, if there are any.

    Raises:
        SlipwayError: There is a problem; its text has all of them.
    """
    if problems:
        raise problems[0] if len(problems) == 1 else SeveralErrors(problems)


class NotYet(SlipwayError):
    """Error about a thing that does not exist yet, because the program itself makes it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.UNREACHABLE)


def at(file: str, line: int | None = None, field: str | None = None) -> str:
    """Return a place as the prefix of a message: `models/churn.yaml:12: rollout.steps: `."""
    where = f"{file}:{line}" if line else file
    return f"{where}: {field}: " if field else f"{where}: "
