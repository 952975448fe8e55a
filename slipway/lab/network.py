"""Addresses of the lab's network.

All traffic crosses one bridge: the control plane listens on the bridge's own address, and each pod has another one in
its own network namespace. The API server refuses loopback addresses as pod addresses.
"""

from __future__ import annotations

BRIDGE = "slipway0"
ADDRESS = "10.244.0.1"
PREFIX = 16
#: Cluster addresses of Services, all local: the kubelet listens at each Service's (kubelet/proxy.py).
SERVICES = "10.96.0.0/16"
#: Address of the Service `kubernetes`: the first of them.
API_SERVICE = "10.96.0.1"

API_PORT = 6443
S3_PORT = 7070
GATEWAY_PORT = 8000
PROMETHEUS_PORT = 9090
JUDGE_PORT = 9091
OBSERVE_PORT = 9092
WEBHOOK_PORT = 9443

API = f"https://{ADDRESS}:{API_PORT}"
S3 = f"http://{ADDRESS}:{S3_PORT}"
#: Flagger starts without them; an analysis fails while they are away.
PROMETHEUS = f"http://{ADDRESS}:{PROMETHEUS_PORT}"
JUDGE = f"http://{ADDRESS}:{JUDGE_PORT}"
OBSERVE = f"http://{ADDRESS}:{OBSERVE_PORT}"

#: Ports relayed to the user's shell at 127.0.0.1: name -> port inside.
RELAYED = {
    "api": API_PORT,
    "gateway": GATEWAY_PORT,
    "s3": S3_PORT,
    "prometheus": PROMETHEUS_PORT,
    "judge": JUDGE_PORT,
    "observe": OBSERVE_PORT,
}


def bring_up() -> None:
    """Set up loopback, the bridge and the route for Services in the namespace of the calling process."""
    # Imported late: the user's commands need only the addresses.
    from pyroute2 import IPRoute  # type: ignore[import-untyped]

    with IPRoute() as netlink:
        loopback = netlink.link_lookup(ifname="lo")[0]
        netlink.link("set", index=loopback, state="up")
        netlink.link("add", ifname=BRIDGE, kind="bridge")
        bridge = netlink.link_lookup(ifname=BRIDGE)[0]
        netlink.addr("add", index=bridge, address=ADDRESS, prefixlen=PREFIX)
        netlink.link("set", index=bridge, state="up")
        # "ip route add local 10.96.0.0/16 dev lo" in the table `local` (255).
        netlink.route("add", dst=SERVICES, oif=loopback, type="local", table=255, scope="host")
