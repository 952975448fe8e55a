"""Processes of containers: start, stop, and commands run inside."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from slipway.lab.kubelet.plan import ContainerPlan
from slipway.lab.kubelet.refusal import Refusal

_LAUNCHER = Path(__file__).with_name("launcher.py")


class Process:
    """Process of a running container.

    Args:
        launcher: Its parent, which passes signals on.
        pid: Its process id in the kubelet's namespace.
    """

    def __init__(self, plan: ContainerPlan, launcher: asyncio.subprocess.Process, pid: int) -> None:
        self.plan, self._launcher, self.pid = plan, launcher, pid

    async def wait(self) -> int:
        """Return the exit code once the container and all its children have ended."""
        return await self._launcher.wait()

    async def stop(self, grace: float) -> int:
        """Send SIGTERM, then SIGKILL after `grace` seconds; return the exit code."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, grace)):
                return await self._launcher.wait()
        self._signal(signal.SIGUSR1)
        return await self._launcher.wait()

    def kill(self) -> None:
        """Kill the container."""
        self._signal(signal.SIGUSR1)

    async def execute(self, argv: Sequence[str], timeout: float) -> tuple[int, str]:
        """Run a command inside the container; return its exit code and output.

        Raises:
            TimeoutError: The command did not end in time and was killed.
            OSError: The command could not be started.
        """
        orders = {"join": self.pid, "argv": list(argv), "env": dict(self.plan.env), "workdir": _workdir(self.plan)}
        try:
            launcher, _ = await _launch(orders, stdout=subprocess.PIPE)
        except Refusal as refusal:
            raise OSError(refusal.message) from None
        assert launcher.stdout
        try:
            async with asyncio.timeout(timeout):
                output = await launcher.stdout.read()
                return await launcher.wait(), output.decode(errors="replace")
        finally:
            if launcher.returncode is None:
                launcher.send_signal(signal.SIGUSR1)
                await launcher.wait()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._launcher.send_signal(number)


async def start(plan: ContainerPlan, netns: int, log: IO[bytes]) -> Process:
    """Start a container.

    Raises:
        Refusal: The command cannot be run, or a mount failed.
    """
    home = Path(plan.home)
    staging = home.parent.parent / "staging"
    for directory in (home, staging):
        directory.mkdir(parents=True, exist_ok=True)
    for mount in plan.mounts:
        if not os.path.exists(mount.source):  # a subPath of an emptyDir
            os.makedirs(mount.source)
    orders: dict[str, Any] = {
        "netns": netns,
        "argv": list(plan.argv),
        "env": dict(plan.env),
        "workdir": _workdir(plan),
        "home": plan.home,
        "staging": str(staging),
        "mounts": [{"source": m.source, "target": m.target, "read_only": m.read_only} for m in plan.mounts],
    }
    launcher, pid = await _launch(orders, stdout=log, netns=netns)
    return Process(plan, launcher, pid)


async def _launch(
    orders: dict[str, Any], stdout: IO[bytes] | int, netns: int | None = None
) -> tuple[asyncio.subprocess.Process, int]:
    """Start the launcher; return as soon as the command runs, with the launcher and the command's process id."""
    reading, writing = os.pipe()
    try:
        launcher = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(_LAUNCHER),
            stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.STDOUT,
            pass_fds=(writing, *([netns] if netns is not None else ())),
            start_new_session=True, env={"LANG": "C.UTF-8"},
        )  # fmt: skip
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    try:
        assert launcher.stdin
        # The orders hold secrets: on stdin other users of the machine cannot read them, unlike on the command line.
        launcher.stdin.write(json.dumps({**orders, "report": writing}).encode())
        launcher.stdin.close()
        report = await _read_all(reading)
    except BaseException:
        launcher.kill()
        raise
    first, _, rest = report.partition("\n")
    error = rest if first.startswith("pid ") else first
    if error or not first:
        await launcher.wait()
        reason = error.removeprefix("error ") or f"the launcher ended with {launcher.returncode}"
        raise Refusal("RunContainerError", f"{orders['argv'][0]}: {reason}", retry=True)
    return launcher, int(first.removeprefix("pid "))


async def _read_all(file: int) -> str:
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(file, "rb", buffering=0)
    )
    try:
        return (await reader.read()).decode(errors="replace")
    finally:
        transport.close()


def _workdir(plan: ContainerPlan) -> str:
    return plan.workdir or plan.home
