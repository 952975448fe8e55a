"""What reading a stack's settings costs a program: no compiler, and next to nothing beside pydantic and YAML."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from projects import CHECKOUT

#: The root that composes all settings, and what reads them from a file.
CODE = """
import json, sys, time
began = time.process_time()
import pydantic, yaml
class First(pydantic.BaseModel):
    # The first model pays for what pydantic imports late.
    field: int
between = time.process_time()
import slipway.settings.stack_file
ended = time.process_time()
loaded = sorted(name for name in sys.modules if name.partition(".")[0] == "slipway")
print(json.dumps([between - began, ended - between, loaded]))
"""
#: Seconds beside pydantic and YAML, or their share of what these two take on a machine that is slower or busy.
MOST, SHARE = 0.02, 0.25
GROUND = {"documents", "errors", "names", "quantities", "schema"}


def test_settings_load_no_compiler_and_cost_little_beside_pydantic_and_yaml(tmp_path: Path) -> None:
    # Byte code is written to a directory of its own, so that the first run pays for it and the others do not.
    variables = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    runs = []
    for _ in range(6):
        done = subprocess.run(
            [sys.executable, "-c", CODE], cwd=CHECKOUT, env=variables, capture_output=True, text=True, check=True
        )
        runs.append(json.loads(done.stdout))
    others = {name.split(".")[1] for name in runs[0][2] if "." in name} - {"settings"} - GROUND
    # The names of servers are defaults of settings.
    assert others == {"models"}
    assert [name for name in runs[0][2] if name.startswith("slipway.models")] == [
        "slipway.models",
        "slipway.models.servers",
    ]
    theirs, ours = (min(run[column] for run in runs) for column in (0, 1))
    assert ours < max(MOST, SHARE * theirs), (ours, theirs)
