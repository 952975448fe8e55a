"""Runs a command, with the processor time that each of its processes took."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: Seconds between two looks at /proc: what a process does after the last one is not seen.
INTERVAL = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")

#: Role of a process by the start of its name (the kernel keeps 15 letters).
_ROLES = {"pulumi-resource": "plugin", "pulumi-language": "host", "pulumi": "engine", "python": "program"}


@dataclass(frozen=True)
class Usage:
    """What a run took.

    Args:
        wall: Seconds from start to exit.
        cpu: Processor seconds by role.
        rss: Peak resident megabytes by role, of its largest process.
        output: What it printed.
    """

    wall: float
    cpu: Mapping[str, float]
    rss: Mapping[str, float]
    output: str


@dataclass
class _Watch:
    """Looks at the processes of one session until it is told to stop."""

    session: int
    seen: dict[int, str | None] = field(default_factory=dict)
    cpu: dict[int, float] = field(default_factory=dict)
    rss: dict[int, float] = field(default_factory=dict)

    def until(self, stop: threading.Event) -> None:
        while not stop.wait(INTERVAL):
            self.look()

    def look(self) -> None:
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            if pid < self.session or self.seen.get(pid, "") is None:
                continue
            with contextlib.suppress(OSError):
                self._sample(pid)

    def _sample(self, pid: int) -> None:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
        fields = rest.split()
        if int(fields[3]) != self.session:
            self.seen[pid] = None
            return
        # A process has its parent's name until it has exec'ed, so the last name counts.
        self.seen[pid] = next((role for start, role in _ROLES.items() if name.startswith(start)), "other")
        self.cpu[pid] = (int(fields[11]) + int(fields[12])) / _TICKS
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                self.rss[pid] = int(line.split()[1]) / 1024

    def by_role(self) -> tuple[dict[str, float], dict[str, float]]:
        cpu: dict[str, float] = {}
        rss: dict[str, float] = {}
        for pid, role in self.seen.items():
            if role is not None:
                cpu[role] = cpu.get(role, 0.0) + self.cpu.get(pid, 0.0)
                rss[role] = max(rss.get(role, 0.0), self.rss.get(pid, 0.0))
        return cpu, rss


def run(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Usage:
    """Run a command to its end.

    Raises:
        RuntimeError: It failed; the message ends with what it printed last.
    """
    log, started = cwd / ".output", time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        watch, stop = _Watch(process.pid), threading.Event()
        looker = threading.Thread(target=watch.until, args=(stop,), daemon=True)
        looker.start()
        try:
            code = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGINT)
            process.wait()
            raise
        finally:
            wall = time.perf_counter() - started
            stop.set()
            looker.join()
    text = log.read_text(errors="replace")
    if code:
        tail = "\n".join(text.strip().splitlines()[-25:])
        raise RuntimeError(f"{' '.join(command)} in {cwd} exited with {code}:\n{tail}")
    return Usage(wall, *watch.by_role(), text)
