"""What Slipway's program imports before it registers its first resource."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path

from tests.bench.toolbox import Toolbox

#: What only a stack that asks the registry, or that makes its own cluster, may load.
HEAVY = ("mlflow", "pulumi_aws")
PROBE = Path(__file__).parent / "probe"


@dataclass(frozen=True)
class Imports:
    """One count.

    Args:
        seconds: Median time in imports.
        modules: How many were loaded.
        packages: The top-level ones outside the standard library.
    """

    seconds: float
    modules: int
    packages: tuple[str, ...]

    @property
    def heavy(self) -> list[str]:
        """Those that only some stacks need."""
        return [name for name in HEAVY if name in self.packages]


def measure(tools: Toolbox, project: Path, state: Path, repeats: int) -> Imports:
    """Preview with the probe in the program's Python."""
    note = tools.work / "imports.json"
    found = []
    for _ in range(repeats + 1):
        tools.preview(project, state, PYTHONPATH=str(PROBE), SLIPWAY_BENCH_IMPORTS=str(note))
        found.append(json.loads(note.read_text()))
    # The first run may have had to compile bytecode.
    seconds = statistics.median(one["seconds"] for one in found[1:])
    last = found[-1]
    return Imports(seconds, last["modules"], tuple(last["packages"]))
