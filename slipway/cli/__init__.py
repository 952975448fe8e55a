"""The command `slipway`.

Modules here import what is heavy inside their commands, so that `slipway --help` answers at once.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; a known failure is one line on stderr with its exit code (slipway/errors.py)."""
    from slipway.cli.root import app
    from slipway.errors import SlipwayError

    try:
        app()
    except SlipwayError as error:
        sys.stdout.flush()
        print(f"slipway: {error}", file=sys.stderr)
        sys.exit(int(error.exit_code))
