"""Recovery from a killed run before the next one.

Pulumi's file backend keeps the lock of a run that was killed and refuses every later run, before any program starts. So
the recovery is in a launcher called `pulumi`, before the real one on PATH.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slipway.engine import state_lock

#: Name of the project in Pulumi.yaml.
PROJECT = "slipway"
#: A line of the launcher, which distinguishes it from the real `pulumi`.
MARK = "slipway: tidies up after a killed run, then becomes the real pulumi"


def main(arguments: Sequence[str]) -> int:
    """Recover, then run the next `pulumi` on PATH with the same arguments."""
    found = real_pulumi(os.environ.get("PATH", os.defpath))
    if found is not None:
        for said in tidy(found, os.environ):
            print(f"slipway: {said}", file=sys.stderr)
        os.execv(found, [found, *arguments])
    print("pulumi: not on PATH; `slipway lab up` puts it there", file=sys.stderr)
    return 127


def real_pulumi(path: str) -> str | None:
    """Return the first `pulumi` on a PATH that is not the launcher."""
    for entry in path.split(os.pathsep):
        found = shutil.which("pulumi", path=entry) if entry else None
        if found and not is_launcher(Path(found)):
            return found
    return None


def is_launcher(file: Path) -> bool:
    """Check for the launcher's mark in a file."""
    with file.open("rb") as opened:
        return MARK.encode() in opened.read(4096)


def tidy(pulumi: str, environ: Mapping[str, str]) -> list[str]:
    """Remove the locks and pending creations of dead runs; return a sentence for each lock."""
    said = []
    for stack in state_lock.stacks(PROJECT, environ):
        broken = state_lock.break_dead(PROJECT, stack, environ)
        if broken:
            forget_pending_creates(pulumi, stack, environ)
        said += broken
    return said


def forget_pending_creates(pulumi: str, stack: str, environ: Mapping[str, str]) -> None:
    """Remove pending creations from a state; the next `up` repeats them and adopts existing objects."""
    selected = ["--stack", f"organization/{PROJECT}/{stack}", "--non-interactive"]
    exported = subprocess.run([pulumi, "stack", "export", *selected], env=environ, capture_output=True, text=True)
    state = json.loads(exported.stdout) if exported.returncode == 0 else {}
    kept = without_pending_creates(state.get("deployment") or {})
    if kept is not None:
        text = json.dumps({**state, "deployment": kept})
        subprocess.run(
            [pulumi, "stack", "import", *selected], env=environ, input=text, capture_output=True, text=True, check=False
        )


def without_pending_creates(deployment: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a state without pending creations; None if it has none."""
    pending = deployment.get("pending_operations") or []
    kept = [operation for operation in pending if operation.get("type") != "creating"]
    return {**deployment, "pending_operations": kept} if len(kept) != len(pending) else None


def write_launcher(directory: Path) -> Path:
    """Write the launcher for this interpreter and this checkout."""
    root = str(Path(__file__).resolve().parents[2])
    run = "from slipway.engine.killed_runs import main; sys.exit(main(sys.argv[1:]))"
    code = f"import sys; sys.path.insert(0, {root!r}); {run}"
    file = directory / "pulumi"
    directory.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(f'#!/bin/sh\n# {MARK}\nexec {shlex.quote(sys.executable)} -I -c {shlex.quote(code)} "$@"\n')
    new.chmod(0o755)
    new.replace(file)
    return file
