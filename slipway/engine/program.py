"""Variables between this code and the program that Pulumi's engine runs.

The engine passes a program's messages on but not its exit code, and gives a program only the stack's configuration. The
program inherits the engine's environment, so variables carry both.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from slipway.errors import ExitCode, SlipwayError

#: Variable with the model whose target goes back to the serving version.
HELD_BACK = "SLIPWAY_HELD_BACK"
#: Variable with the path of the program's refusal.
OUTCOME = "SLIPWAY_OUTCOME"


def held_back() -> str | None:
    """Return the held back model of this run, if any."""
    return os.environ.get(HELD_BACK)


def write_outcome(error: SlipwayError) -> None:
    """Write the program's refusal; does nothing if an operator runs `pulumi` directly."""
    if file := os.environ.get(OUTCOME):
        Path(file).write_text(json.dumps({"exit_code": int(error.exit_code), "message": str(error)}))


def read_outcome(file: Path) -> SlipwayError | None:
    """Read the refusal that `write_outcome` wrote; None without one."""
    if not file.exists():
        return None
    content = json.loads(file.read_text())
    return SlipwayError(content["message"], ExitCode(content["exit_code"]))
