"""Network policies of a namespace: closed except for named openings."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway.objects import Object
from slipway.platform.workloads import manifest

#: It gives the node's credentials to any client, so no opening may include it.
INSTANCE_METADATA = ipaddress.IPv4Network("169.254.169.254/32")


@dataclass(frozen=True)
class Opening:
    """Peers, made by `pods_of` or `network`, that pods may use: at TCP ports, all if none are given, and UDP ports."""

    peers: tuple[Object, ...]
    ports: tuple[int, ...] = ()
    udp: tuple[int, ...] = ()


def pods_of(namespace: str, **labels: str) -> Object:
    """Return the peer for all pods of a namespace, or those with certain labels (`k8s_app` stands for `k8s-app`)."""
    # The API server sets this label, so it cannot be forged.
    peer: Object = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    if labels:
        peer["podSelector"] = {"matchLabels": {key.replace("_", "-"): value for key, value in labels.items()}}
    return peer


def network(cidr: str) -> Object:
    """Return the peer for a network outside the cluster, without the instance metadata service."""
    block: Object = {"cidr": cidr}
    if INSTANCE_METADATA.subnet_of(ipaddress.IPv4Network(cidr)):
        block["except"] = [str(INSTANCE_METADATA)]
    return {"ipBlock": block}


#: Every pod needs DNS.
DNS = Opening((pods_of("kube-system", k8s_app="kube-dns"),), ports=(53,), udp=(53,))


def isolate(namespace: str, ingress: Mapping[str, Opening], egress: Mapping[str, Opening]) -> tuple[Object, ...]:
    """Close a namespace in both directions except for the openings and DNS.

    Args:
        namespace: Its name.
        ingress: Allowed clients by name; each policy is called `from-<name>`.
        egress: Allowed destinations by name; each policy is called `to-<name>`.
    """
    return (
        _policy(namespace, "default-deny", {"policyTypes": ["Ingress", "Egress"]}),
        *(
            _policy(namespace, f"from-{name}", {"policyTypes": ["Ingress"], "ingress": [_rule("from", opening)]})
            for name, opening in sorted(ingress.items())
        ),
        *(
            _policy(namespace, f"to-{name}", {"policyTypes": ["Egress"], "egress": [_rule("to", opening)]})
            for name, opening in sorted({"dns": DNS, **egress}.items())
        ),
    )


def _rule(direction: str, opening: Opening) -> Object:
    ports: list[dict[str, Any]] = [{"port": port, "protocol": "TCP"} for port in opening.ports]
    ports += [{"port": port, "protocol": "UDP"} for port in opening.udp]
    return {direction: list(opening.peers), **({"ports": ports} if ports else {})}


def _policy(namespace: str, name: str, spec: Object) -> Object:
    return manifest("networking.k8s.io/v1", "NetworkPolicy", name, namespace, spec={"podSelector": {}, **spec})
