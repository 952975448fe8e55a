"""Main loop of the kubelet: the watches, each pod's task and the node's heartbeat."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from slipway.clients.kube import Kube, KubeError
from slipway.lab.kubelet.api import RETRY, Api, watch
from slipway.lab.kubelet.images import ImageTable
from slipway.lab.kubelet.logs import log_directory, prune, rotate
from slipway.lab.kubelet.memory import MEMINFO
from slipway.lab.kubelet.network import Addresses
from slipway.lab.kubelet.node import HEARTBEAT, NODE, heartbeat, register
from slipway.lab.kubelet.pod import Machine, Pod
from slipway.lab.kubelet.pressure import MemoryWatch
from slipway.lab.kubelet.proxy import KINDS, ServiceProxy
from slipway.objects import Object

log = logging.getLogger("slipway.kubelet")


def to_schedule(pod: Object) -> bool:
    """Return whether a pod waits for a node from this scheduler."""
    spec = pod["spec"]
    return (
        not spec.get("nodeName")
        and not spec.get("schedulingGates")
        and spec.get("schedulerName", "default-scheduler") == "default-scheduler"
        and "deletionTimestamp" not in pod["metadata"]
    )


class Kubelet:
    """All pods of the node.

    Args:
        kube: The API server; one client, shared by all threads.
        state: Directory for logs and for the pods' volumes.
    """

    def __init__(self, kube: Kube, table: ImageTable, state: Path, meminfo: Path = MEMINFO) -> None:
        self.kube = kube
        self.machine = Machine(Api(kube, NODE), table, Addresses(), ServiceProxy(state / "names"), state)
        self._pods: dict[str, tuple[Pod, asyncio.Task[None]]] = {}
        self._binding: dict[str, asyncio.Task[None]] = {}
        self._memory = MemoryWatch(kube, lambda: [pod for pod, _ in self._pods.values()], meminfo)

    async def run(self) -> None:
        """Run pods until SIGTERM or SIGINT, then end every container."""
        # Processes of an earlier run died with it, and volumes last no longer than a pod's run.
        for directory in ("run", "names"):
            shutil.rmtree(self.machine.state / directory, ignore_errors=True)
        (self.machine.state / "pods").mkdir(parents=True, exist_ok=True)
        loop = asyncio.get_running_loop()
        ending = asyncio.Event()
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ending.set)
        await self._registered()
        log.info("node %s is registered", NODE)

        def follow(api_version: str, kind: str, take_in: Callable[[str, list[Object]], None]) -> None:
            def deliver(event: str, objects: list[Object]) -> None:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(take_in, event, objects)

            threading.Thread(target=watch, args=(self.kube, api_version, kind, deliver, stopping), daemon=True).start()

        follow("v1", "Pod", self._take_in)
        for api_version, kind in KINDS:
            follow(api_version, kind, functools.partial(self.machine.proxy.take_in, kind))
        work = (self._beat(), self._memory.run(), self.machine.proxy.run())
        beside = [asyncio.create_task(each) for each in work]
        await ending.wait()
        stopping.set()
        for task in beside:
            task.cancel()
        tasks = [task for _, task in self._pods.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _registered(self) -> None:
        while True:
            try:
                await asyncio.to_thread(register, self.kube)
                return
            except KubeError as error:
                log.warning("node not registered yet: %s", error)
                await asyncio.sleep(RETRY)

    async def _beat(self) -> None:
        while True:
            try:
                await asyncio.to_thread(heartbeat, self.kube)
            except KubeError as error:
                log.warning("heartbeat: %s", error)
            living = {log_directory(self.machine.state, pod.pod).name for pod, _ in self._pods.values()}
            await asyncio.to_thread(rotate, self.machine.state)
            await asyncio.to_thread(prune, self.machine.state, living)
            await asyncio.sleep(HEARTBEAT)

    def _take_in(self, kind: str, pods: list[Object]) -> None:
        if kind == "ALL":
            listed = {pod["metadata"]["uid"] for pod in pods}
            for uid in set(self._pods) - listed:
                self._pods[uid][0].removed()
        for pod in pods:
            if kind == "DELETED":
                if (uid := pod["metadata"]["uid"]) in self._pods:
                    self._pods[uid][0].removed()
            elif to_schedule(pod):
                self._bind(pod)
            elif pod["spec"].get("nodeName") == NODE:
                self._run_or_update(pod)

    def _run_or_update(self, obj: Object) -> None:
        uid = obj["metadata"]["uid"]
        if uid in self._pods:
            self._pods[uid][0].update(obj)
            return
        pod = Pod(self.machine, obj)
        task = asyncio.create_task(pod.run())
        self._pods[uid] = (pod, task)
        task.add_done_callback(lambda done: self._forget(uid, done))

    def _forget(self, uid: str, done: asyncio.Task[None]) -> None:
        self._pods.pop(uid, None)
        if not done.cancelled() and (error := done.exception()):
            log.error("pod %s: %s", uid, error, exc_info=error)

    def _bind(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if uid not in self._binding:
            self._binding[uid] = asyncio.create_task(self._bound(pod))
            self._binding[uid].add_done_callback(lambda _: self._binding.pop(uid, None))

    async def _bound(self, pod: Object) -> None:
        if not self._memory.room.is_set():
            # In a cluster a taint keeps pods off the node; this is the scheduler's own message.
            taint = "1 node(s) had untolerated taint {node.kubernetes.io/memory-pressure: }"
            await self.machine.api.event(pod, "FailedScheduling", f"0/1 nodes are available: {taint}")
            await self._memory.room.wait()
        while True:
            try:
                await self.machine.api.bind(pod)
                return
            except KubeError as error:
                if error.status in (404, 409):
                    return
                log.warning("pod %s: not bound: %s", pod["metadata"]["name"], error)
                await asyncio.sleep(RETRY)
