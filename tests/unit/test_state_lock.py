"""Locks of dead runs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.engine.state_lock import LOCKS, backend_url, break_dead


@pytest.fixture
def write(tmp_path: Path):
    def write_lock(pid: int, host: str | None = None) -> Path:
        file = tmp_path / LOCKS / "slipway" / "local" / f"{pid}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"pid": pid, "username": "u", "hostname": host or socket.gethostname()}))
        return file

    return write_lock


def environ(tmp_path: Path) -> dict[str, str]:
    return {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}


def dead() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        return process.pid


def test_the_lock_of_a_dead_process_is_removed_with_a_sentence(tmp_path, write):
    file = write(pid := dead())
    (said,) = break_dead("slipway", "local", environ(tmp_path))
    assert f"pid {pid}" in said
    assert not file.exists()


def test_the_lock_of_a_live_process_stays(tmp_path, write):
    file = write(os.getpid())
    assert break_dead("slipway", "local", environ(tmp_path)) == []
    assert file.exists()


def test_the_lock_of_another_host_stays(tmp_path, write):
    file = write(dead(), "elsewhere")
    assert break_dead("slipway", "local", environ(tmp_path)) == []
    assert file.exists()


def test_a_process_that_started_after_the_lock_was_written_did_not_write_it(tmp_path, write):
    file = write(os.getpid())
    os.utime(file, (1, 1))
    assert len(break_dead("slipway", "local", environ(tmp_path))) == 1


def test_a_zombie_counts_as_dead(tmp_path, write):
    process = subprocess.Popen([sys.executable, "-c", "print('ready')"], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.read()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        file = write(process.pid)
        assert len(break_dead("slipway", "local", environ(tmp_path))) == 1
        assert not file.exists()
    finally:
        process.communicate()


def test_what_is_no_lock_is_left_alone(tmp_path, write):
    file = write(1)
    file.write_text("{")
    assert break_dead("slipway", "local", environ(tmp_path)) == []
    assert file.exists()


def test_a_backend_that_is_no_directory_has_no_locks_of_ours(tmp_path, write):
    write(dead())
    assert break_dead("slipway", "local", {"PULUMI_BACKEND_URL": "s3://state"}) == []


def test_without_a_variable_the_last_login_says_which_backend_it_is(tmp_path):
    (tmp_path / "credentials.json").write_text(json.dumps({"current": "file:///state"}))
    assert backend_url({"PULUMI_HOME": str(tmp_path)}) == "file:///state"
    assert backend_url({"PULUMI_HOME": str(tmp_path / "none")}) is None
