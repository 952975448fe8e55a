"""Life of one container: start, probes and restarts."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from slipway.lab.kubelet.api import now
from slipway.lab.kubelet.logs import open_log, tail
from slipway.lab.kubelet.memory import in_mebibytes
from slipway.lab.kubelet.plan import ContainerPlan
from slipway.lab.kubelet.probes import Probe, Tally, ask, parse_action
from slipway.lab.kubelet.processes import Process, start
from slipway.lab.kubelet.refusal import Refusal
from slipway.lab.kubelet.status import (
    BACK_OFF_RESET,
    Observed,
    Running,
    Terminated,
    Waiting,
    back_off,
    restarts_after,
)

#: Seconds between attempts while something that a container needs does not exist.
RETRY = 2.0


@dataclass(frozen=True)
class Surroundings:
    """Parts of its pod that a container needs.

    Args:
        plan: Reads the objects that the container refers to and plans it; called for every start.
        changed: Called after each change of the observation.
        event: Reports an event of the pod: (reason, message).
        netns: Descriptor of the pod's network namespace.
        logs: Directory of the pod's logs.
        grace: Seconds that a container has to end.
    """

    plan: Callable[[dict[str, Any]], Awaitable[ContainerPlan]]
    changed: Callable[[], None]
    event: Callable[[str, str], None]
    address: str
    netns: int
    logs: Path
    grace: float


class Container:
    """Container of a pod.

    Args:
        spec: Its part of the pod's spec.
        policy: Its restart policy: Always, OnFailure or Never.
    """

    def __init__(self, spec: dict[str, Any], policy: str, observed: Observed) -> None:
        self.spec, self.policy, self.observed = spec, policy, observed
        self.name: str = spec["name"]
        #: Set when the container has started, startup probe included.
        self.started = asyncio.Event()
        self._process: Process | None = None
        self._out_of_memory = ""

    async def run(self, around: Surroundings) -> int:
        """Run the container according to its restart policy; return its last exit code."""
        failures = 0
        while True:
            began = time.monotonic()
            ended = await self._run_once(around)
            if not restarts_after(ended.exit_code, self.policy):
                self._observe(around, state=ended)
                return ended.exit_code
            failures = 1 if time.monotonic() - began > BACK_OFF_RESET else failures + 1
            if wait := back_off(failures):
                reason = f"back-off {wait:g}s restarting failed container={self.name}"
                self._observe(around, state=Waiting("CrashLoopBackOff", reason), last=ended)
                around.event("BackOff", f"{reason} (exit code {ended.exit_code}, see its log)")
                await asyncio.sleep(wait)
            self._observe(around, last=ended, restarts=self.observed.restarts + 1)

    async def stop(self, around: Surroundings | None, grace: float) -> None:
        """End the container, its preStop hook first; `run` must have been cancelled before."""
        process = self._process
        if process is None or around is None:
            return
        began = time.monotonic()
        hook = (self.spec.get("lifecycle") or {}).get("preStop")
        if hook and grace > 0:
            with contextlib.suppress(Refusal, TimeoutError):
                async with asyncio.timeout(grace):
                    await ask(parse_action(hook, self.spec), grace, around.address, process.execute)
        code = await process.stop(grace - (time.monotonic() - began))
        self._process = None
        running = self.observed.state
        started_at = running.started_at if isinstance(running, Running) else now()
        self._observe(around, state=_ended(code, started_at, ""), ready=False, started=False)

    @property
    def memory_limits(self) -> dict[int, int | None]:
        """Memory limit in bytes by the running container's process 1; empty where none runs."""
        return {self._process.pid: self._process.plan.memory_limit} if self._process else {}

    def out_of_memory(self, used: int, limit: int) -> None:
        """End the container at once, since it uses more bytes than its limit."""
        if self._process:
            self._out_of_memory = f"out of memory: {in_mebibytes(used)} used, limit {in_mebibytes(limit)}"
            self._process.kill()

    async def _run_once(self, around: Surroundings) -> Terminated:
        plan, process, offset = await self._start(around)
        running = Running(now())
        started = "startupProbe" not in plan.probes
        self._observe(around, state=running, started=started, ready=started and "readinessProbe" not in plan.probes)
        if started:
            self.started.set()
        probing = asyncio.create_task(self._probe(around, plan, process))
        try:
            code = await process.wait()
        finally:
            probing.cancel()
        self._process = None
        self.started.clear()
        message = tail(around.logs / f"{self.name}.log", offset) if code else ""
        ended = _ended(code, running.started_at, message)
        if self._out_of_memory:
            ended = replace(ended, reason="OOMKilled", message=f"{self._out_of_memory}\n{message}".strip())
            self._out_of_memory = ""
        if code:
            around.event(*_crash(self.name, ended))
        self._observe(around, state=ended, ready=False, started=False)
        return ended

    async def _start(self, around: Surroundings) -> tuple[ContainerPlan, Process, int]:
        while True:
            try:
                plan = await around.plan(self.spec)
                with open_log(around.logs, self.name) as log:
                    offset = log.tell()
                    self._process = await start(plan, around.netns, log)
                    return plan, self._process, offset
            except Refusal as refusal:
                self._observe(around, state=Waiting(refusal.reason, refusal.message))
                around.event("Failed", f"Error: {refusal.message}")
                # A final refusal waits for the pod's deletion, which cancels this task.
                await asyncio.sleep(RETRY) if refusal.retry else await asyncio.Event().wait()

    async def _probe(self, around: Surroundings, plan: ContainerPlan, process: Process) -> None:
        if startup := plan.probes.get("startupProbe"):
            if not await self._startup(around, startup, process):
                return
            self.started.set()
            self._observe(around, started=True, ready="readinessProbe" not in plan.probes)
        probes = []
        if readiness := plan.probes.get("readinessProbe"):
            probes.append(self._readiness(around, readiness, process))
        if liveness := plan.probes.get("livenessProbe"):
            probes.append(self._liveness(around, liveness, process))
        async with asyncio.TaskGroup() as group:
            for probe in probes:
                group.create_task(probe)

    async def _startup(self, around: Surroundings, probe: Probe, process: Process) -> bool:
        async for verdict in self._answers(around, "Startup", probe, process):
            if verdict is False:
                await self._end_unhealthy(around, "startup", probe, process)
            if verdict is not None:
                return verdict
        return False

    async def _readiness(self, around: Surroundings, probe: Probe, process: Process) -> None:
        async for verdict in self._answers(around, "Readiness", probe, process):
            if verdict is not None and verdict != self.observed.ready:
                self._observe(around, ready=verdict)

    async def _liveness(self, around: Surroundings, probe: Probe, process: Process) -> None:
        async for verdict in self._answers(around, "Liveness", probe, process):
            if verdict is False:
                await self._end_unhealthy(around, "liveness", probe, process)
                return

    async def _answers(
        self, around: Surroundings, kind: str, probe: Probe, process: Process
    ) -> AsyncIterator[bool | None]:
        """Yield the verdict after each answer, at the probe's period."""
        await asyncio.sleep(probe.initial_delay)
        tally = Tally()
        while True:
            began = time.monotonic()
            ok, message = await ask(probe.action, probe.timeout, around.address, process.execute)
            tally = tally.add(ok)
            # An event for each failure would be a write per period: only the first in a row and every tenth.
            if not ok and self.observed.started and tally.count % 10 == 1:
                around.event("Unhealthy", f"{kind} probe of {self.name} failed: {message}")
            yield tally.verdict(probe)
            await asyncio.sleep(max(0.0, probe.period - (time.monotonic() - began)))

    async def _end_unhealthy(self, around: Surroundings, kind: str, probe: Probe, process: Process) -> None:
        around.event("Killing", f"Container {self.name} failed {kind} probe, will be restarted")
        await process.stop(around.grace if probe.grace is None else probe.grace)

    def _observe(self, around: Surroundings, **seen: Any) -> None:
        updated = replace(self.observed, **seen)
        if updated != self.observed:
            self.observed = updated
            around.changed()


def _ended(code: int, started_at: str, message: str) -> Terminated:
    return Terminated(code, "Completed" if code == 0 else "Error", started_at, now(), message)


def _crash(name: str, ended: Terminated) -> tuple[str, str]:
    """Return reason and message of the event of a container's end, with the decisive line of its log."""
    killed = ended.reason == "OOMKilled"
    lines = ended.message.splitlines() or [""]
    line = lines[0] if killed else lines[-1]
    return (
        "OOMKilled" if killed else "ContainerDied",
        f"Container {name} ended with exit code {ended.exit_code}: {line}",
    )
