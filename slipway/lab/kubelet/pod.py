"""Life of one pod on this node, from its binding to its removal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from slipway.clients.kube import KubeError
from slipway.lab.kubelet.api import RETRY, Api, now
from slipway.lab.kubelet.container import Container, Surroundings
from slipway.lab.kubelet.images import ImageTable
from slipway.lab.kubelet.logs import log_directory
from slipway.lab.kubelet.network import Addresses, make_network, remove_network
from slipway.lab.kubelet.plan import ContainerPlan, check_container, check_pod, is_sidecar, plan_container
from slipway.lab.kubelet.proxy import ServiceProxy
from slipway.lab.kubelet.refusal import Refusal
from slipway.lab.kubelet.status import EVICTED, Terminated, Waiting, evicted_before, pod_status, recover
from slipway.lab.kubelet.variables import Sources
from slipway.lab.kubelet.volumes import make_volumes
from slipway.lab.network import ADDRESS
from slipway.objects import Object

log = logging.getLogger("slipway.kubelet")
#: Seconds that containers have when the kubelet itself is stopped.
SHUTDOWN_GRACE = 2.0


@dataclass(frozen=True)
class Machine:
    """Parts that all pods of this node share."""

    api: Api
    table: ImageTable
    addresses: Addresses
    proxy: ServiceProxy
    state: Path


class Pod:
    """Pod of this node."""

    def __init__(self, machine: Machine, pod: Object) -> None:
        self.machine, self.pod = machine, pod
        self.uid: str = pod["metadata"]["uid"]
        self.directory = machine.state / "run" / self.uid
        self.began = now()
        policy = pod["spec"].get("restartPolicy", "Always")
        self.init = {
            spec["name"]: Container(
                spec,
                # An init container that succeeded is done, whatever the pod's policy.
                "Always" if is_sidecar(spec) else "OnFailure" if policy == "Always" else policy,
                recover(spec["name"], pod, self.began, init=True),
            )
            for spec in pod["spec"].get("initContainers") or ()
        }
        self.main = {
            spec["name"]: Container(spec, policy, recover(spec["name"], pod, self.began, init=False))
            for spec in pod["spec"]["containers"]
        }
        self.around: Surroundings | None = None
        self._deadline: float | None = None
        self._leaving, self._dirty = asyncio.Event(), asyncio.Event()
        self._gone = False
        self._evicted = evicted_before(pod)
        self._life: asyncio.Task[None] | None = None
        self._sent: Object | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.update(pod)

    def update(self, pod: Object) -> None:
        """Apply a change of the object: a deletion, or conditions of other writers."""
        # The response to our own last write may be newer than this event.
        if int(pod["metadata"]["resourceVersion"]) >= int(self.pod["metadata"]["resourceVersion"]):
            self.pod = pod
        if "deletionTimestamp" in pod["metadata"]:
            grace = pod["metadata"].get("deletionGracePeriodSeconds") or 0
            wanted = time.monotonic() + grace
            self._deadline = wanted if self._deadline is None else min(self._deadline, wanted)
            self._leaving.set()
        elif pod["spec"].get("readinessGates"):
            self._dirty.set()

    def removed(self) -> None:
        """End at once, since the object is gone."""
        self._gone, self._deadline = True, time.monotonic()
        self._leaving.set()

    @property
    def containers(self) -> list[Container]:
        """All containers, init containers first."""
        return [*self.init.values(), *self.main.values()]

    async def evict(self, message: str) -> None:
        """End the pod for good, at once, to free its memory; the object stays and gives the reason."""
        self._evicted = message
        await _end(*([self._life] if self._life else []))
        await self._stop(0)
        await self._release()
        self._event(EVICTED, message)

    async def run(self) -> None:
        """Keep the pod until it is removed; cancelled when the kubelet stops, which does not remove it."""
        if self._evicted:  # by an earlier run of the kubelet; only the object is left
            await self._leaving.wait()
            return await self.machine.api.delete(self.pod)
        life, publisher = asyncio.create_task(self._live()), asyncio.create_task(self._publish())
        self._life = life
        try:
            await self._leaving.wait()
            await _end(life)
            await self._stop(max(0.0, (self._deadline or 0.0) - time.monotonic()))
            await _end(publisher)
            if not self._gone:
                with contextlib.suppress(KubeError):
                    await self._send()
                await self.machine.api.delete(self.pod)
        except asyncio.CancelledError:
            await _end(life)
            await self._withdraw()
            raise
        finally:
            await _end(life)
            await _end(publisher)
            await self._stop(SHUTDOWN_GRACE)
            await self._release()
            self.machine.api.forget(self.uid)

    async def _live(self) -> None:
        """Run the pod's containers until all have ended for good."""
        todo = [container for container in self.main.values() if not isinstance(container.observed.state, Terminated)]
        self._dirty.set()
        if not todo:
            return
        sidecars: list[asyncio.Task[int]] = []
        try:
            around = await self._prepare()
            if await self._initialize(around, sidecars):
                async with asyncio.TaskGroup() as group:
                    for container in todo:
                        group.create_task(container.run(around))
            await _end(*sidecars)
            await self._stop(around.grace)
            await self._release()
        except Refusal as refusal:
            self._refuse(refusal)
        except Exception as error:
            log.exception("pod %s", self.pod["metadata"]["name"])
            self._refuse(Refusal("CreatePodSandboxError", f"{type(error).__name__}: {error}"))
        finally:
            await _end(*sidecars)

    async def _initialize(self, around: Surroundings, sidecars: list[asyncio.Task[int]]) -> bool:
        """Run the init containers in order; return whether the pod may go on."""
        for container in self.init.values():
            if is_sidecar(container.spec):
                sidecars.append(asyncio.create_task(container.run(around)))
                await container.started.wait()
            elif await container.run(around) != 0:
                return False
        return True

    async def _prepare(self) -> Surroundings:
        check_pod(self.pod, self.machine.table)
        address = self.machine.addresses.take((self.pod.get("status") or {}).get("podIP"))
        making = asyncio.ensure_future(asyncio.to_thread(make_network, self.uid, address))
        try:
            netns = await asyncio.shield(making)
        except BaseException:
            # A thread cannot be cancelled: its network must be removed before the address is free again.
            with contextlib.suppress(Exception):
                await asyncio.to_thread(remove_network, self.uid, await making)
            self.machine.addresses.give_back(address)
            raise
        grace = self.pod["spec"].get("terminationGracePeriodSeconds")
        self.around = Surroundings(
            plan=self._plan,
            changed=self._dirty.set,
            event=self._event,
            address=address,
            netns=netns,
            logs=log_directory(self.machine.state, self.pod),
            grace=30.0 if grace is None else grace,
        )
        self._dirty.set()
        await self._make_volumes(address)
        return self.around

    async def _make_volumes(self, address: str) -> None:
        while True:
            sources = await self._sources(tokens=True)
            try:
                make_volumes(self.pod, sources, address, self.directory)
                return
            except Refusal as refusal:
                if not refusal.retry:
                    raise
                self._refuse(refusal, event="FailedMount")
            await asyncio.sleep(RETRY)

    async def _plan(self, spec: Object) -> ContainerPlan:
        assert self.around
        sources = await self._sources()
        files = self.machine.proxy.mounts(self.pod["metadata"]["namespace"])
        return plan_container(spec, self.pod, self.machine.table, sources, self.around.address, self.directory, files)

    async def _sources(self, tokens: bool = False) -> Sources:
        while True:
            try:
                return await self.machine.api.sources_of(self.pod, tokens=tokens)
            except KubeError as error:
                log.warning("pod %s: %s", self.pod["metadata"]["name"], error)
                await asyncio.sleep(RETRY)

    def _refuse(self, refusal: Refusal, event: str = "Failed") -> None:
        """Write to the status why nothing starts: at the containers at fault, else at all of them."""
        at_fault = {}
        for container in self.containers:
            try:
                check_container(container.spec, self.machine.table)
            except Refusal as own:
                at_fault[container.name] = own
        for container in self.containers:
            why = at_fault.get(container.name) or (None if at_fault else refusal)
            if why and not isinstance(container.observed.state, Terminated):
                container.observed = replace(container.observed, state=Waiting(why.reason, why.message))
        self._dirty.set()
        self._event(event, refusal.message)

    async def _stop(self, grace: float) -> None:
        """End all containers: the main ones first, as sidecars serve them."""
        for group in (self.main, self.init):
            await asyncio.gather(*(container.stop(self.around, grace) for container in group.values()))

    async def _withdraw(self) -> None:
        """Report all containers as not ready while the kubelet is away."""
        for container in self.containers:
            container.observed = replace(container.observed, ready=False)
        with contextlib.suppress(KubeError):
            await self._send()

    async def _release(self) -> None:
        around, self.around = self.around, None
        if around:
            await asyncio.to_thread(remove_network, self.uid, around.netns)
            self.machine.addresses.give_back(around.address)
        await asyncio.to_thread(shutil.rmtree, self.directory, ignore_errors=True)
        self._dirty.set()

    async def _publish(self) -> None:
        """Write the status whenever it has changed; several changes at once are one request."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self._send()
            except KubeError as error:
                if error.status in (404, 409):
                    return
                log.warning("status of pod %s: %s", self.pod["metadata"]["name"], error)
                await asyncio.sleep(RETRY)
                self._dirty.set()

    async def _send(self) -> None:
        status = pod_status(
            self.pod,
            {name: container.observed for name, container in self.init.items()},
            {name: container.observed for name, container in self.main.items()},
            address=self.around.address if self.around else None,
            host=ADDRESS,
            now=now(),
            started_at=self.began,
            evicted=self._evicted,
        )
        if status != self._sent:
            self.pod = await self.machine.api.patch_status(self.pod, status)
            self._sent = status

    def _event(self, reason: str, message: str) -> None:
        task = asyncio.create_task(self.machine.api.event(self.pod, reason, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
