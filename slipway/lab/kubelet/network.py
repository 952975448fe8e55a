"""Network namespaces of pods, on the lab's bridge."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import os
from collections.abc import Iterator

from slipway.lab.namespace import CLONE_NEWNET, call
from slipway.lab.network import ADDRESS, BRIDGE, PREFIX

#: First address of pods, up to the end of the bridge's network; 10.244.0.x belongs to the lab itself.
FIRST_POD_ADDRESS = "10.244.1.1"


class Addresses:
    """Pool of pod addresses; a returned one is the last to be reused."""

    def __init__(self, first: str = FIRST_POD_ADDRESS, network: str = f"{ADDRESS}/{PREFIX}") -> None:
        bounds = ipaddress.IPv4Network(network, strict=False)
        self._first = self._next = int(ipaddress.IPv4Address(first))
        self._last = int(bounds.broadcast_address) - 1
        self._taken: set[int] = set()

    def take(self, wanted: str | None = None) -> str:
        """Return a free address: the wanted one if it is free, which keeps a pod's address over restarts."""
        with contextlib.suppress(ValueError):
            number = int(ipaddress.IPv4Address(wanted or ""))
            if self._first <= number <= self._last and number not in self._taken:
                self._taken.add(number)
                return str(ipaddress.IPv4Address(number))
        for _ in range(self._last - self._first + 1):
            number, self._next = self._next, self._next + 1 if self._next < self._last else self._first
            if number not in self._taken:
                self._taken.add(number)
                return str(ipaddress.IPv4Address(number))
        raise OSError(f"no pod address is free in {ADDRESS}/{PREFIX}; delete pods")

    def give_back(self, address: str) -> None:
        """Return an address to the pool."""
        self._taken.discard(int(ipaddress.IPv4Address(address)))


def interface_name(uid: str) -> str:
    """Return the name of a pod's link on the bridge; the kernel allows 15 characters."""
    return "pod" + hashlib.sha256(uid.encode()).hexdigest()[:12]


def make_network(uid: str, address: str) -> int:
    """Make a network namespace with one link on the bridge; it lasts as long as the returned descriptor is open.

    Blocks for some milliseconds; call it in a worker thread, since pyroute2 runs its own event loop.
    """
    # Imported late, since it takes 0.3 s, which the readers of the image table should not pay.
    from pyroute2 import IPRoute  # type: ignore[import-untyped]

    name = interface_name(uid)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        call("unshare", CLONE_NEWNET)
        space = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        call("setns", home, CLONE_NEWNET)
        try:
            with IPRoute() as links:
                for index in links.link_lookup(ifname=name):
                    links.link("del", index=index)
                bridge = links.link_lookup(ifname=BRIDGE)
                if not bridge:
                    raise OSError(f"no bridge {BRIDGE}: the kubelet must run inside the lab's network namespace")
                links.link(
                    "add", ifname=name, kind="veth", peer={"ifname": "eth0", "net_ns_fd": space}, master=bridge[0]
                )
                links.link("set", index=links.link_lookup(ifname=name)[0], state="up")
            with _inside(space, home), IPRoute() as links:
                links.link("set", index=links.link_lookup(ifname="lo")[0], state="up")
                inner = links.link_lookup(ifname="eth0")[0]
                links.addr("add", index=inner, address=address, prefixlen=PREFIX)
                links.link("set", index=inner, state="up")
                links.route("add", dst="default", gateway=ADDRESS)
        except BaseException:
            os.close(space)
            raise
        return space
    finally:
        os.close(home)


def remove_network(uid: str, space: int) -> None:
    """Remove a pod's link; its namespace goes when its last process has ended."""
    from pyroute2 import IPRoute, NetlinkError

    try:
        # The kernel removes the link itself when the namespace ends, perhaps at this moment.
        with contextlib.suppress(NetlinkError), IPRoute() as links:
            for index in links.link_lookup(ifname=interface_name(uid)):
                links.link("del", index=index)
    finally:
        os.close(space)


@contextlib.contextmanager
def _inside(space: int, home: int) -> Iterator[None]:
    call("setns", space, CLONE_NEWNET)
    try:
        yield
    finally:
        call("setns", home, CLONE_NEWNET)
