"""What this code and the program that Pulumi's engine runs tell each other beside Pulumi.

The engine passes on a program's messages but not its exit code, and passes nothing to a program but the stack's
configuration. A program inherits the engine's environment, so variables carry both.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from slipway.errors import ExitCode, SlipwayError

#: Names the model whose target goes back to what serves.
HELD_BACK = "SLIPWAY_HELD_BACK"
#: Names the file that the program writes its refusal to.
OUTCOME = "SLIPWAY_OUTCOME"


def held_back() -> str | None:
    """Return the model that this run of the program holds back, if any."""
    return os.environ.get(HELD_BACK)


def write_outcome(error: SlipwayError) -> None:
    """Write why the program ends; nothing where `pulumi` itself runs it."""
    if file := os.environ.get(OUTCOME):
        Path(file).write_text(json.dumps({"exit_code": int(error.exit_code), "message": str(error)}))


def read_outcome(file: Path) -> SlipwayError | None:
    """Read what `write_outcome` has written; None where the program did not refuse."""
    if not file.exists():
        return None
    content = json.loads(file.read_text())
    return SlipwayError(content["message"], ExitCode(content["exit_code"]))
