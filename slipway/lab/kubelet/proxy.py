"""Stand-in for kube-proxy and the cluster's DNS: Services by address and by name.

The real one has the kernel rewrite packets, which takes rights that an ordinary user lacks. Every cluster address is
local to the lab's network namespace (lab/network.py), so each Service is a TCP listener that relays. Names are in one
hosts file for each namespace, mounted as /etc/hosts of its pods.
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
#: Seconds over which changes are gathered: one rollout changes many endpoints.
GATHER = 0.1
#: Kinds of Services and endpoints in the API.
KINDS = (("v1", "Service"), ("discovery.k8s.io/v1", "EndpointSlice"))
#: No server listens there, so a name missing in the file is refused at once: the machine's own name servers cannot be
#: reached from a pod, and a look-up would wait for them.
RESOLV = f"nameserver {ADDRESS}\noptions timeout:1 attempts:1\n"


class ServiceProxy:
    """Proxy of all Services of the cluster.

    Args:
        directory: Directory of the files mounted into pods.
        machine_hosts: Hosts file of the machine, whose names pods can resolve too.
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
        """Apply an event of a watch: ("ALL", objects) or one change."""
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
        """Apply changes until cancelled, then close every listener."""
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
        """Return the mounts that replace the machine's own files in the pods of a namespace."""
        file, resolv = self._directory / "hosts" / namespace, self._directory / "resolv.conf"
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            self._write_hosts(file)
        if not resolv.exists():
            resolv.write_text(RESOLV)
        return Mount(str(file), "/etc/hosts", True), Mount(str(resolv), "/etc/resolv.conf", True)

    def _write_hosts(self, file: Path) -> None:
        """Update a file in place: pods that have it mounted would not see a new file."""
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
                listener = socket.create_server(front)
                self._servers[front] = await serve_any(listener, functools.partial(self._targets, front))
            except OSError as error:
                # A component of the lab listens on that port of every address.
                log.warning("service %s:%s: cannot listen: %s", *front, error)

    def _targets(self, front: Address) -> Iterable[Address]:
        found = self._routes.get(front, ())
        return random.sample(found, len(found))
