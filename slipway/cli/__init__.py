"""The command `slipway`.

Modules here import what is heavy inside their commands, so that `slipway --help` answers at once.
"""

from __future__ import annotations

from slipway.command import run


def main() -> None:
    """Run the command line."""
    from slipway.cli.root import app

    run(app)
