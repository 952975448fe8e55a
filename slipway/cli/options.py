"""The arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

#: The environment that a command is about, in each command with the default that it can have.
Stack = Annotated[str, typer.Option("--stack", "-s", help="The environment: Pulumi.<stack>.yaml.")]
Model = Annotated[str, typer.Argument(help="Name of a model spec: models/<name>.yaml.")]
AnyModel = Annotated[str | None, typer.Argument(help="Name of a model spec; all without it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; the lab's own stack never asks.")]
#: The option that every command has.
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


class WithEnvironment(TyperCommand):
    """A command that still takes `--environment` and `-e`, its former names of `--stack` and `-s`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments."""
        return super().parse_args(ctx, [_renamed(each) for each in args])


def _renamed(argument: str) -> str:
    name, equals, value = argument.partition("=")
    return {"--environment": "--stack", "-e": "-s"}.get(name, name) + equals + value
