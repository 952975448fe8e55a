"""Process 1 of the lab's namespace: starts and stops all components, and relays."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from slipway.clients.kube import Kube
from slipway.errors import SlipwayError
from slipway.lab import control_plane, monitoring, network, relay
from slipway.lab.bootstrap import Bootstrap
from slipway.lab.control_plane import Layout
from slipway.lab.paths import write_private
from slipway.lab.processes import Component, Processes

#: Reports one event to the waiting command, as `{"ready": "etcd", "seconds": 0.4}`.
Tell = Callable[[Mapping[str, Any]], None]
#: Last lines of a failed component's log that are shown to the user.
LAST_LINES = 12


class Lab:
    """Run of the lab.

    Args:
        data: Files of the pinned modules, by tool name.
    """

    def __init__(self, layout: Layout, data: Mapping[str, Path], tell: Tell) -> None:
        self.layout, self.data, self.tell = layout, data, tell
        self.paths = layout.paths
        self.processes = Processes(self.paths.log, self._changed)
        self._begin = time.monotonic()

    async def run(self, listeners: Mapping[str, socket.socket]) -> int:
        """Start all components, wait for a signal, stop all; return the exit code."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        relays = [
            await relay.serve(listener, network.ADDRESS, network.RELAYED[name]) for name, listener in listeners.items()
        ]
        starting, stopping = asyncio.create_task(self.start()), asyncio.create_task(stop.wait())
        code = 0
        try:
            await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                self.tell({"done": True, "seconds": time.monotonic() - self._begin})
                await stopping
        except SlipwayError as error:
            code = 1
            self.tell({"error": str(error), "exit_code": int(error.exit_code), "log": self._last_lines(str(error))})
        finally:
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, SlipwayError):
                await starting
            await self.stop()
            for server in relays:
                server.close()
        return code

    async def start(self) -> None:
        """Start all components, as many at once as their dependencies allow."""
        await _all(self._component(control_plane.etcd), self._component(control_plane.object_store), self._cluster())

    async def _cluster(self) -> None:
        reading = asyncio.create_task(asyncio.to_thread(self._bootstrap))
        await self._component(control_plane.api_server)
        bootstrap = await reading
        await _all(
            self._component(control_plane.controller_manager),
            self._component(control_plane.kubelet),
            self._component(monitoring.prometheus),
            self._platform(bootstrap),
        )

    async def _platform(self, bootstrap: Bootstrap) -> None:
        begin = time.monotonic()
        done = await asyncio.to_thread(bootstrap.is_done)
        if not done:
            await asyncio.to_thread(bootstrap.before_controllers)
            self.tell({"ready": "definitions", "seconds": time.monotonic() - begin})
        beside = [] if done else [asyncio.to_thread(bootstrap.beside_controllers)]
        # The judge and observe could start earlier, but would then slow the components that others wait for.
        controllers = (control_plane.kserve, control_plane.flagger, control_plane.traefik)
        await _all(*(self._component(make) for make in (*controllers, monitoring.judge, monitoring.observe)), *beside)
        if not done:
            await asyncio.to_thread(bootstrap.after_controllers)

    async def stop(self) -> None:
        """Stop all components: first the writers to the cluster, then the cluster, then its store."""
        await self.processes.stop("kubelet")
        last = ("kube-apiserver", "etcd")
        await asyncio.gather(*(self.processes.stop(name) for name in self.processes.running if name not in last))
        for name in last:
            await self.processes.stop(name)

    async def _component(self, make: Callable[[Layout], Component]) -> None:
        begin, component = time.monotonic(), make(self.layout)
        await self.processes.start(component)
        self.tell({"ready": component.name, "seconds": time.monotonic() - begin})

    def _bootstrap(self) -> Bootstrap:
        kube = Kube.from_kubeconfig(self.paths.inside_kubeconfig("admin"))
        return Bootstrap(kube, self.data, self.paths.pki, (self.layout.access_key, self.layout.secret_key))

    def _changed(self) -> None:
        states = {
            name: {"pid": entry.pid, "state": entry.state, "restarts": entry.restarts, "since": entry.since}
            for name, entry in self.processes.running.items()
        }
        write_private(self.paths.components, json.dumps(states, indent=1) + "\n")

    def _last_lines(self, message: str) -> list[str]:
        """Return the last log lines of the component that a message names."""
        for name in self.processes.running:
            if name in message.split():
                with contextlib.suppress(OSError):
                    return self.paths.log(name).read_text(errors="replace").splitlines()[-LAST_LINES:]
        return []


async def _all(*jobs: Coroutine[Any, Any, None]) -> None:
    """Run jobs at once; the first failure ends the others."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def main(layout: Layout, data: Mapping[str, Path], listeners: Mapping[str, socket.socket], tell: Tell) -> int:
    """Run the lab in the calling process, which must be process 1 of a separate namespace."""
    network.bring_up()
    for directory in (layout.paths.etcd, layout.paths.s3, layout.paths.lab / "attributes", layout.paths.lab / "tmp"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def run() -> int:
        return await Lab(layout, data, tell).run(listeners)

    os.chdir("/")
    return asyncio.run(run())
