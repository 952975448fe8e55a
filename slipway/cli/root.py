"""The table of what `slipway` can do; a command's module is imported when the command is run."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from slipway.cli import services
from slipway.errors import ExitCode

EXIT_CODES = f"Exit codes: {'; '.join(f'{code} {code.meaning}' for code in ExitCode)}."

#: Each command with its module in slipway/cli and the first sentence of its help.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": (
        "demo",
        "Train models, bring them in front of users in the lab, let a better version take over, then worse ones fail.",
    ),
    "lab": ("lab", "The embedded cluster: up, down, status, logs, reset."),
    "models": ("models", "What the registry has of the project's models."),
    "release": ("release", "Registry versions, frozen into releases/<model>/<id>.yaml."),
    "pins": ("pins", "Which releases an environment runs: pins/<environment>.yaml."),
    "rollout": ("rollout", "How new versions get in front of users."),
    "config": ("config", "What can be set in Pulumi.<stack>.yaml; what is."),
    "images": ("images", "The images of what an environment installs, each with its digest."),
    "rehearse": (
        "rehearse",
        "Play an environment's rollout in the lab before anyone merges; say what it would do there.",
    ),
    "plan": (
        "stack",
        "Say what `up` would do to each model, from the files, the registry and the cluster; runs no Pulumi.",
    ),
    "render": (
        "render",
        "Write the models' objects as files, for an environment that is delivered by Git; commit them afterwards.",
    ),
    "preview": ("stack", "Show what `up` would change (pulumi preview)."),
    "up": ("stack", "Make the environment what the project says (pulumi up)."),
    "destroy": ("stack", "Delete all that the stack has made; protected resources refuse."),
}


def load(name: str) -> Any:
    """Import a command, or a group of commands."""
    found = typer.main.get_group(importlib.import_module(f"slipway.cli.{COMMANDS[name][0]}").app)
    return found.commands.get(name, found)


class Unloaded(TyperCommand):
    """A command that is imported when it gets its arguments, so that `slipway --help` pays for none."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Hand the arguments to the command itself."""
        return load(str(self.name)).make_context(info_name, args, parent, **extra)


class Commands(TyperGroup):
    """The commands of the table, before those that are registered."""

    def __init__(self, *, commands: dict[str, Any], **attributes: Any) -> None:
        unloaded = {name: Unloaded(name, help=text) for name, (_, text) in COMMANDS.items()}
        super().__init__(commands={**unloaded, **commands}, **attributes)


app = typer.Typer(
    name="slipway",
    cls=Commands,
    help="From a registered model to a pinned service that answers.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("observe", context_settings=services.OPTIONS)(services.observe)
app.command("judge", context_settings=services.OPTIONS)(services.judge)
