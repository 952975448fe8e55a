"""Records the state that `pulumi up` of this checkout makes for stack `local`; tests/upgrade/record.py says when.

.venv/bin/python -m pytest -q tests/lab/record_local.py
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from local_stack import MODEL, Stack
from upgrade.recording import RECORDED

#: What that version left.
HOME = RECORDED / "local"
#: What differs between two labs of the same objects: the directory of its kubeconfig.
LAB = "<lab>"


def test_record(lab: Any, tmp_path: Path) -> None:
    stack = Stack(lab, tmp_path)
    stack.start()
    # As every user has it: the first `up` was before Flagger had taken over.
    stack.up("--expect-no-changes")
    shutil.rmtree(HOME, ignore_errors=True)
    for file in ("Pulumi.local.yaml", f"models/{MODEL}.yaml"):
        (HOME / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / file, HOME / file)
    environment = {**stack.env, "SLIPWAY_PROJECT": str(tmp_path)}
    slipway = [sys.executable, "-c", "from slipway.cli import main; main()", "release", "create", MODEL]
    done = subprocess.run(
        [*slipway, "--alias", "champion"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    shutil.copytree(tmp_path / "releases", HOME / "releases")
    state = json.loads(stack.pulumi("stack", "export").stdout)
    text = json.dumps(state, indent=1, sort_keys=True).replace(os.fspath(lab.project), LAB)
    (HOME / "Pulumi.local.yaml").write_text(
        (HOME / "Pulumi.local.yaml").read_text().replace(os.fspath(lab.project), LAB)
    )
    (HOME / "state.json").write_text(f"{text}\n")
    stack.pulumi("destroy", "--yes", "--skip-preview")
