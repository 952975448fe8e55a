"""Start, stop and status of a lab, for `slipway lab`."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slipway
from slipway.errors import ExitCode, SlipwayError
from slipway.lab import shell, state
from slipway.lab.paths import Paths
from slipway.tools import toolchain

BINARIES = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kserve-manager",
    "flagger",
    "traefik",
    "versitygw",
    "prometheus",
)
DATA = ("kserve", "flagger", "gateway-api", "traefik")
VENVS = ("mlserver", "kserve-storage")
#: Seconds for a graceful end: pods, controllers, API server and etcd in turn, each within its own limit.
DOWN_LIMIT = 60.0
#: Seconds for the kernel to end a namespace whose process 1 was killed.
KILL_LIMIT = 10.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Part:
    """Status of one component; `pid` in the user's namespace, 0 where it does not run."""

    name: str
    state: str
    pid: int
    restarts: int
    memory_bytes: int


@dataclass(frozen=True)
class Status:
    """Status of the lab, for `slipway lab status`."""

    running: bool
    project: str
    supervisor: int
    urls: dict[str, str]
    components: tuple[Part, ...]

    @property
    def ready(self) -> bool:
        """Whether all components are ready."""
        return self.running and bool(self.components) and all(part.state == "ready" for part in self.components)


def up(project: Path, say: Say = print) -> state.Facts:
    """Start the lab; return when all components are ready.

    Raises:
        SlipwayError: A lab already runs, a component did not start, or the machine lacks a feature.
    """
    paths = Paths(project.resolve())
    if state.running(paths):
        raise state.busy(paths)
    request = {
        "project": str(paths.project),
        "binaries": {name: str(toolchain.binary(name)) for name in BINARIES},
        "data": {name: str(toolchain.data(name)) for name in DATA},
        "venvs": {name: str(toolchain.venv(name)) for name in VENVS},
    }
    with contextlib.closing(_Supervisor(request)) as supervisor:
        try:
            seconds = _follow(supervisor, say)
        except SlipwayError:
            # It stops itself: the pipe ends with the last process that could still write to the state.
            for _ in supervisor.events():
                pass
            raise
        except BaseException:
            # Interrupted: no lab may stay half started, even before it has reported its supervisor.
            if supervisor.is_there():
                _end(paths)
            raise
        if seconds is None:
            raise SlipwayError(f"lab: the supervisor ended; see {paths.log('supervisor')}", ExitCode.MACHINE)
    say(f"  ✓ lab: ready in {seconds:.1f} s")
    facts = state.load(paths)
    assert facts is not None
    shell.write(paths, facts)
    return facts


def running(project: Path) -> state.Facts | None:
    """Return the facts of a lab that is up, None without one."""
    return state.load(Paths(project.resolve())) if status(project).ready else None


def down(project: Path) -> bool:
    """Stop the lab; return when all its processes have ended, False where none ran."""
    paths = Paths(project.resolve())
    facts = state.load(paths)
    if facts is None or not state.running(paths):
        return False
    _end(paths)
    return True


def reset(project: Path) -> None:
    """Wipe the lab's state.

    Raises:
        SlipwayError: The lab runs.
    """
    paths = Paths(project.resolve())
    if not paths.root.exists():
        return
    lock = state.lock(paths)
    for entry in paths.root.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    os.close(lock)


def status(project: Path) -> Status:
    """Return the status of the lab and its components."""
    paths = Paths(project.resolve())
    facts, running = state.load(paths), state.running(paths)
    if facts is None or not running:
        return Status(False, str(paths.project), 0, {}, ())
    pids = _host_pids(facts.supervisor)
    parts = [
        Part(name, entry["state"], pids.get(entry["pid"], 0), entry["restarts"], _memory(pids.get(entry["pid"], 0)))
        for name, entry in state.component_states(paths).items()
    ]
    urls = {name: facts.url(name) for name in facts.ports}
    return Status(True, str(paths.project), facts.supervisor, urls, tuple(parts))


def log_files(project: Path) -> dict[str, Path]:
    """Return the log of each component, and of each container as <pod>/<container>."""
    paths = Paths(project.resolve())
    found = {file.stem: file for file in sorted(paths.logs.glob("*.log"))}
    # The layout is the kubelet's: pods/<namespace>_<pod>/<container>.log
    for file in sorted(paths.kubelet.glob("pods/*/*.log")):
        found[f"{file.parent.name.partition('_')[2]}/{file.stem}"] = file
    return found


class _Supervisor:
    """Supervisor that this process has started, with the pipe of its reports."""

    def __init__(self, request: dict[str, Any]) -> None:
        reader, writer = os.pipe()
        self._lines = os.fdopen(reader)
        self._named = False
        package = str(Path(slipway.__file__).parents[1])
        python_path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        try:
            launcher = subprocess.run(
                [sys.executable, "-m", "slipway.lab.supervisor"],
                input=json.dumps({**request, "events": writer}).encode(),
                pass_fds=(writer,),
                env={**os.environ, "PYTHONPATH": python_path},
            )
        finally:
            os.close(writer)
        if launcher.returncode:
            self._lines.close()
            raise SlipwayError(f"lab: the supervisor did not start (exit {launcher.returncode})", ExitCode.MACHINE)

    def close(self) -> None:
        """Close the pipe."""
        self._lines.close()

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield its further events until it ends; can be called again after an interruption."""
        for line in self._lines:
            event = json.loads(line)
            self._named = self._named or "supervisor" in event
            yield event

    def is_there(self) -> bool:
        """Wait until it has reported its process id or ended; return whether it reported."""
        return self._named or any("supervisor" in event for event in self.events())


def _follow(supervisor: _Supervisor, say: Say) -> float | None:
    """Report each ready component; return the seconds of the start, None if the supervisor ended silently."""
    for event in supervisor.events():
        if "error" in event:
            for line in event["log"]:
                say(f"    {line}")
            raise SlipwayError(event["error"], ExitCode(event["exit_code"]))
        if "ready" in event:
            say(f"  ✓ {event['ready']}: {event['seconds']:.1f} s")
        if event.get("done"):
            return float(event["seconds"])
    return None


def _end(paths: Paths) -> None:
    """End the lab with all its processes: terminate its supervisor, then kill it, which ends process 1 too."""
    deadline, asked = time.monotonic() + KILL_LIMIT, 0
    while state.running(paths):
        facts = state.load(paths)
        if facts and facts.supervisor not in (0, asked) and state.start_time(facts.supervisor) == facts.started:
            asked = facts.supervisor
            _terminate(asked, facts.started)
            deadline = time.monotonic() + KILL_LIMIT
        if time.monotonic() > deadline:
            message = f"lab: still running {KILL_LIMIT:.0f} s after it was stopped; run `slipway lab down` again"
            raise SlipwayError(message, ExitCode.BUSY)
        time.sleep(0.05)  # the release of the lock is no event


def _terminate(pid: int, started: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        # Checked again behind the handle: in between, the id could have been reused.
        if state.start_time(pid) != started:
            return
        for number, limit in ((signal.SIGTERM, DOWN_LIMIT), (signal.SIGKILL, KILL_LIMIT)):
            signal.pidfd_send_signal(handle, number)
            if _gone(handle, limit):
                return
    finally:
        os.close(handle)


def _gone(handle: int, limit: float) -> bool:
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    return bool(poller.poll(limit * 1000))


def _host_pids(supervisor: int) -> dict[int, int]:
    """Map process ids inside the lab to those outside, for all descendants of the supervisor (proc(5), NSpid)."""
    parents, inner = {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = dict(line.split(":", 1) for line in (entry / "status").read_text().splitlines() if ":" in line)
        except OSError:
            continue
        pid, chain = int(entry.name), fields["NSpid"].split()
        parents[pid] = int(fields["PPid"])
        if len(chain) > 1:
            inner[pid] = int(chain[1])

    def below(pid: int) -> bool:
        while pid and pid != supervisor:
            pid = parents.get(pid, 0)
        return pid == supervisor

    return {number: pid for pid, number in inner.items() if below(pid)}


def _memory(pid: int) -> int:
    """Read the resident set of a process, in bytes (proc(5): second field of statm, in pages)."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
