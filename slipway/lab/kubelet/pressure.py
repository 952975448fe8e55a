"""Enforcement of memory limits: of each container, and of the node by evictions."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from slipway.clients.kube import Kube, KubeError
from slipway.lab.kubelet.memory import (
    EVICT_BELOW,
    LOOK,
    PRESSURE_SECONDS,
    Use,
    above,
    available,
    in_bytes,
    in_mebibytes,
    used,
    victim,
)
from slipway.lab.kubelet.node import report_memory
from slipway.lab.kubelet.pod import Pod

log = logging.getLogger("slipway.kubelet")


class MemoryWatch:
    """Monitor of the containers' and the machine's memory."""

    def __init__(self, kube: Kube, pods: Callable[[], Sequence[Pod]], meminfo: Path) -> None:
        self._kube, self._pods, self._meminfo = kube, pods, meminfo
        #: Set while the node accepts pods.
        self.room = asyncio.Event()
        self.room.set()
        self._short_until = 0.0

    async def run(self) -> None:
        """Enforce memory limits until cancelled."""
        while True:
            try:
                await self._look()
            except KubeError as error:
                log.warning("memory pressure not reported: %s", error)
            except Exception:
                # Go on after a failed check: nothing else enforces the limits.
                log.exception("memory")
            await asyncio.sleep(LOOK)

    async def _look(self) -> None:
        running = {pid: (each, limit) for pod in self._pods() for each in pod.containers
                   for pid, limit in each.memory_limits.items()}  # fmt: skip
        limits = {pid: limit for pid, (_, limit) in running.items() if limit is not None}
        for pid, amount in (await asyncio.to_thread(above, limits)).items():
            running[pid][0].out_of_memory(amount, limits[pid])
        left = available(self._meminfo)
        if left < EVICT_BELOW:
            self._short_until = time.monotonic() + PRESSURE_SECONDS
            if self.room.is_set():
                self.room.clear()
                await asyncio.to_thread(report_memory, self._kube, short=True)
            await self._evict_one(left)
        elif not self.room.is_set() and time.monotonic() > self._short_until:
            await asyncio.to_thread(report_memory, self._kube, short=False)
            self.room.set()

    async def _evict_one(self, left: int) -> None:
        pods = {pod.pod["metadata"]["uid"]: pod for pod in self._pods() if _running(pod)}
        amounts = await asyncio.to_thread(used, [pid for pod in pods.values() for pid in _running(pod)])
        uses = {uid: _use(pod, sum(amounts.get(pid, 0) for pid in _running(pod))) for uid, pod in pods.items()}
        chosen = victim(uses)
        if chosen is not None:
            use = uses[chosen]
            await pods[chosen].evict(
                f"The node was low on resource: memory. Threshold quantity: {in_mebibytes(EVICT_BELOW)}, available: "
                f"{in_mebibytes(left)}. The pod used {in_mebibytes(use.used)}, requested {in_mebibytes(use.requested)}."
            )


def _use(pod: Pod, amount: int) -> Use:
    spec = pod.pod["spec"]
    requests = [(each.get("resources") or {}).get("requests") or {} for each in spec["containers"]]
    return Use(amount, sum(in_bytes(each.get("memory", "")) or 0 for each in requests), spec.get("priority") or 0)


def _running(pod: Pod) -> list[int]:
    """Return process 1 of each running container."""
    return [pid for container in pod.containers for pid in container.memory_limits]
