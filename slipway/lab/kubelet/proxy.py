"""Stands for kube-proxy with the cluster's DNS: a Service answers at its address, by its name.

A real one has the kernel rewrite packets, which takes rights that an ordinary user lacks. Every cluster address is
local to the lab's network namespace (lab/network.py), so here each Service is a listener that relays, TCP only.
Names stand in one hosts file for each namespace, which its pods see as /etc/hosts.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import random
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from slipway.lab.kubelet.plan import Mount
from slipway.lab.kubelet.services import Name, hosts, names, routes
from slipway.lab.network import ADDRESS
from slipway.lab.relay import Address, serve_any
from slipway.objects import Object

log = logging.getLogger("slipway.kubelet")
#: Seconds in which changes are gathered: one rollout changes many endpoints.
GATHER = 0.1
#: What a Service and its endpoints are called in the API.
KINDS = (("v1", "Service"), ("discovery.k8s.io/v1", "EndpointSlice"))
#: Nothing listens there, so a name that is not in the file is refused at once: the machine's own name servers cannot
#: be reached from a pod, and would be waited for.
RESOLV = f"nameserver {ADDRESS}\noptions timeout:1 attempts:1\n"


class ServiceProxy:
    """All Services of the cluster.

    Args:
        directory: For the files that pods see.
        machine_hosts: The machine's own names, which its programs may ask for.
    """

    def __init__(self, directory: Path, machine_hosts: Path = Path("/etc/hosts")) -> None:
        self._directory = directory
        self._own = machine_hosts.read_text() if machine_hosts.is_file() else ""
        self._objects: dict[str, dict[str, Object]] = {kind: {} for _, kind in KINDS}
        self._names: list[Name] = []
        self._routes: dict[Address, tuple[Address, ...]] = {}
        self._servers: dict[Address, asyncio.Server] = {}
        self._changed = asyncio.Event()

    def take_in(self, kind: str, event: str, objects: Sequence[Object]) -> None:
        """Take in what a watch says: ("ALL", objects) or one change."""
        held = self._objects[kind]
        if event == "ALL":
            held.clear()
        for each in objects:
            if event == "DELETED":
                held.pop(each["metadata"]["uid"], None)
            else:
                held[each["metadata"]["uid"]] = each
        self._changed.set()

    async def run(self) -> None:
        """Follow what is taken in, for ever; cancelled, every listener is closed."""
        try:
            while True:
                await self._changed.wait()
                await asyncio.sleep(GATHER)
                self._changed.clear()
                services, slices = (self._objects[kind].values() for _, kind in KINDS)
                self._names, self._routes = names(services, slices), routes(services, slices)
                for file in self._directory.glob("hosts/*"):
                    self._write_hosts(file)
                await self._listen()
        finally:
            for server in self._servers.values():
                server.close()

    def mounts(self, namespace: str) -> tuple[Mount, ...]:
        """Return what the pods of a namespace see in the place of the machine's own files."""
        file, resolv = self._directory / "hosts" / namespace, self._directory / "resolv.conf"
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            self._write_hosts(file)
        if not resolv.exists():
            resolv.write_text(RESOLV)
        return Mount(str(file), "/etc/hosts", True), Mount(str(resolv), "/etc/resolv.conf", True)

    def _write_hosts(self, file: Path) -> None:
        """Bring a file up to date in place: who has it mounted would not see another one in its stead."""
        content = (self._own.rstrip("\n") + "\n" + hosts(self._names, file.name)).encode()
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if os.pread(descriptor, len(content) + 1, 0) != content:
                os.pwrite(descriptor, content, 0)
                os.ftruncate(descriptor, len(content))
        finally:
            os.close(descriptor)

    async def _listen(self) -> None:
        for gone in self._servers.keys() - self._routes.keys():
            self._servers.pop(gone).close()
        for front in self._routes.keys() - self._servers.keys():
            try:
                self._servers[front] = await serve_any(_listener(front), functools.partial(self._targets, front))
            except OSError as error:
                # Something of the lab's own listens on that port of every address.
                log.warning("service %s:%s does not answer: %s", *front, error)

    def _targets(self, front: Address) -> Iterable[Address]:
        found = list(self._routes.get(front, ()))
        random.shuffle(found)
        return found


def _listener(front: Address) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(front)
    except OSError:
        listener.close()
        raise
    return listener
