"""The commands `slipway judge` and `slipway observe`: processes of their own, whose packages no other command loads."""

from __future__ import annotations

import os
import sys

import typer

#: Everything after the command's name is the service's own, `--help` too.
OPTIONS = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def judge(context: typer.Context) -> None:
    """Serve the decisions that Flagger asks for, until stopped."""
    _become("slipway.judge", context.args)


def observe(context: typer.Context) -> None:
    """Join predictions with their labels, measure drift, serve both to Prometheus; runs until it is stopped."""
    _become("slipway.observe", context.args)


def _become(module: str, arguments: list[str]) -> None:
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
