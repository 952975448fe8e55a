"""The command line `slipway`."""

from __future__ import annotations

from slipway.cli.root import app
from slipway.command import run


def main() -> None:
    """Run the command line."""
    run(app)
