"""Processes of the lab's components: started as children of process 1 and kept alive."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from slipway.errors import ExitCode, SlipwayError

#: Seconds between two probes of a starting component, since none reports its readiness.
LOOK = 0.05
#: Seconds after which a component that never became ready has failed; over ten times the slowest start.
START_LIMIT = 90.0
#: Deaths before the first readiness after which a start has failed.
START_ATTEMPTS = 3
#: Seconds before a restart: the first and the longest.
BACK_OFF, BACK_OFF_LIMIT = 0.5, 15.0
#: A component that ran this many seconds starts again with the shortest back-off.
STEADY = 60.0


@dataclass(frozen=True)
class Component:
    """Process of the lab.

    Args:
        name: Its name, and that of its log.
        command: Program with arguments; no secrets, since all users of the machine can read them.
        ready: Called in a thread until it returns True; exceptions count as False.
        environment: All its variables: none are inherited, as proxies in a user's shell would break the lab.
        stop_seconds: Seconds between SIGTERM and SIGKILL.
    """

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool]
    environment: Mapping[str, str]
    stop_seconds: float = 5.0


@dataclass
class Running:
    """State of one started component: starting, ready, restarting or stopped."""

    component: Component
    pid: int = 0
    state: str = "starting"
    restarts: int = 0
    since: float = field(default_factory=time.time)
    task: asyncio.Task[None] | None = None


class Processes:
    """Components of one lab. Must be used in process 1, since it reaps every orphan.

    Args:
        changed: Called after each change of a component's state.
    """

    def __init__(self, log: Callable[[str], Path], changed: Callable[[], None]) -> None:
        self.running: dict[str, Running] = {}
        self._log, self._changed = log, changed
        self._ended: dict[int, asyncio.Future[int]] = {}
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    async def start(self, component: Component) -> None:
        """Start a component; return when it is ready.

        Raises:
            SlipwayError: It did not become ready.
        """
        entry = self.running[component.name] = Running(component)
        first = asyncio.get_running_loop().create_future()
        entry.task = asyncio.create_task(self._keep(entry, first))
        try:
            await asyncio.wait_for(first, START_LIMIT)
        except TimeoutError:
            raise SlipwayError(
                f"lab: {component.name} was not ready after {START_LIMIT:.0f} s; see its log", ExitCode.MACHINE
            ) from None

    async def stop(self, name: str) -> None:
        """Stop one component by SIGTERM, or by SIGKILL after its time."""
        entry = self.running.get(name)
        if entry is None or entry.task is None:
            return
        entry.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await entry.task
        ended = self._ended.get(entry.pid)
        if ended is not None:
            os.kill(entry.pid, signal.SIGTERM)
            try:
                await asyncio.wait_for(asyncio.shield(ended), entry.component.stop_seconds)
            except TimeoutError:
                print(f"{name}: did not stop within {entry.component.stop_seconds:.0f} s, killed", flush=True)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(entry.pid, signal.SIGKILL)
                await ended
        self._set(entry, "stopped", pid=0)

    async def _keep(self, entry: Running, first: asyncio.Future[None]) -> None:
        """Keep a component running until cancelled; `first` is resolved at its first readiness, or fails."""
        pause = BACK_OFF
        deaths = 0
        name = entry.component.name
        while True:
            started = time.monotonic()
            ended = self._spawn(entry)
            if await self._becomes_ready(entry.component, ended):
                self._set(entry, "ready")
                if not first.done():
                    first.set_result(None)
            status = await asyncio.shield(ended)
            deaths += 1
            print(f"{name}: ended with {_status_text(status)} after {time.monotonic() - started:.1f} s", flush=True)
            if not first.done() and deaths >= START_ATTEMPTS:
                first.set_exception(
                    SlipwayError(f"lab: {name} ended with {_status_text(status)}, {deaths} times", ExitCode.MACHINE)
                )
                return
            pause = BACK_OFF if time.monotonic() - started > STEADY else pause
            entry.restarts += 1
            self._set(entry, "restarting", pid=0)
            await asyncio.sleep(pause)
            pause = min(2 * pause, BACK_OFF_LIMIT)

    def _spawn(self, entry: Running) -> asyncio.Future[int]:
        component = entry.component
        log = os.open(self._log(component.name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            pid = os.posix_spawn(
                component.command[0],
                component.command,
                component.environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
                setsid=True,
                # Python ignores SIGPIPE, which a Go program must not inherit.
                setsigdef=[signal.SIGPIPE],
            )
        finally:
            os.close(log)
        # Registered before the loop can deliver SIGCHLD, so that no end is missed.
        ended = self._ended[pid] = asyncio.get_running_loop().create_future()
        self._set(entry, "starting", pid=pid)
        return ended

    async def _becomes_ready(self, component: Component, ended: asyncio.Future[int]) -> bool:
        while not ended.done():
            if await asyncio.to_thread(_ask, component.ready):
                return not ended.done()
            await asyncio.wait([ended], timeout=LOOK)
        return False

    def _set(self, entry: Running, state: str, pid: int | None = None) -> None:
        entry.state = state
        entry.since = time.time()
        entry.pid = entry.pid if pid is None else pid
        self._changed()

    def _reap(self) -> None:
        """Reap every ended child: components, and orphans that process 1 inherits."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            ended = self._ended.pop(pid, None)
            if ended is not None and not ended.done():
                ended.set_result(os.waitstatus_to_exitcode(status))


def _ask(ready: Callable[[], bool]) -> bool:
    try:
        return ready()
    except Exception:
        return False


def _status_text(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
