"""Tidying up after killed runs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.engine.killed_runs import real_pulumi, tidy, without_pending_creates, write_launcher
from slipway.engine.state_lock import LOCKS

#: Stands for Pulumi: exports a state with a pending creation, notes what it is asked.
PULUMI = f"""#!{sys.executable}
import json, sys
from pathlib import Path
log = Path(__file__).with_name("asked")
log.write_text((log.read_text() if log.exists() else "") + " ".join(sys.argv[1:]) + "\\n")
if sys.argv[1:3] == ["stack", "export"]:
    pending = [{{"type": "creating"}}]
    print(json.dumps({{"version": 3, "deployment": {{"pending_operations": pending, "resources": []}}}}))
if sys.argv[1:3] == ["stack", "import"]:
    Path(__file__).with_name("imported").write_text(sys.stdin.read())
"""


@pytest.fixture
def pulumi(tmp_path: Path) -> Path:
    file = tmp_path / "real" / "pulumi"
    file.parent.mkdir()
    file.write_text(PULUMI)
    file.chmod(0o755)
    return file


def lock(backend: Path, pid: int) -> Path:
    file = backend / LOCKS / "slipway" / "local" / "lock.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"pid": pid, "username": "u", "hostname": socket.gethostname()}))
    return file


def dead() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        return process.pid


def test_only_creations_are_forgotten():
    deployment = {"resources": [1], "pending_operations": [{"type": "creating"}, {"type": "deleting"}]}
    assert without_pending_creates(deployment) == {"resources": [1], "pending_operations": [{"type": "deleting"}]}
    assert without_pending_creates({"resources": [1], "pending_operations": [{"type": "deleting"}]}) is None
    assert without_pending_creates({}) is None


def test_after_a_killed_run_its_lock_and_its_creations_are_gone(tmp_path, pulumi):
    file = lock(tmp_path, dead())
    (said,) = tidy(str(pulumi), {**os.environ, "PULUMI_BACKEND_URL": f"file://{tmp_path}"})
    assert "removed the lock" in said
    assert not file.exists()
    imported = json.loads((pulumi.parent / "imported").read_text())
    assert imported == {"version": 3, "deployment": {"pending_operations": [], "resources": []}}


def test_beside_a_live_run_nothing_is_touched(tmp_path, pulumi):
    file = lock(tmp_path, os.getpid())
    assert tidy(str(pulumi), {**os.environ, "PULUMI_BACKEND_URL": f"file://{tmp_path}"}) == []
    assert file.exists()
    assert not (pulumi.parent / "asked").exists()


def test_the_launcher_becomes_the_real_pulumi_with_all_arguments(tmp_path, pulumi):
    launcher = write_launcher(tmp_path / "bin")
    lock(tmp_path, dead())
    path = os.pathsep.join([str(launcher.parent), str(pulumi.parent)])
    env = {"PATH": path, "PULUMI_BACKEND_URL": f"file://{tmp_path}", "HOME": str(tmp_path)}
    done = subprocess.run([str(launcher), "up", "--message", "two words"], env=env, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.startswith("slipway: stack local: removed the lock that a killed run left (pid ")
    assert (pulumi.parent / "asked").read_text().splitlines()[-1] == "up --message two words"


def test_the_launcher_never_finds_itself(tmp_path, pulumi):
    launcher = write_launcher(tmp_path / "bin")
    assert real_pulumi(f"{launcher.parent}:{pulumi.parent}") == str(pulumi)
    assert real_pulumi(str(launcher.parent)) is None
