"""The network policies of a namespace: everything is shut but for openings, each with a name that says what for."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway.objects import Object
from slipway.platform.workloads import manifest

#: Answers with the node's own credentials to whoever asks: no opening to a network may include it.
INSTANCE_METADATA = ipaddress.IPv4Network("169.254.169.254/32")


@dataclass(frozen=True)
class Opening:
    """Whom pods may talk with.

    Args:
        peers: Any of them; made by `pods_of` or `network`.
        ports: TCP ports; none means all.
        udp: UDP ports on top.
    """

    peers: tuple[Object, ...]
    ports: tuple[int, ...] = ()
    udp: tuple[int, ...] = ()


def pods_of(namespace: str, **labels: str) -> Object:
    """Name all pods of a namespace, or those with certain labels (`k8s_app` stands for `k8s-app`)."""
    # Set by the API server itself, so nobody can give a namespace another's name.
    peer: Object = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    if labels:
        peer["podSelector"] = {"matchLabels": {key.replace("_", "-"): value for key, value in labels.items()}}
    return peer


def network(cidr: str) -> Object:
    """Name a network outside of the cluster; the instance metadata service is never a part of it."""
    block: Object = {"cidr": cidr}
    if INSTANCE_METADATA.subnet_of(ipaddress.IPv4Network(cidr)):
        block["except"] = [str(INSTANCE_METADATA)]
    return {"ipBlock": block}


#: What everybody needs before anything else.
DNS = Opening((pods_of("kube-system", k8s_app="kube-dns"),), ports=(53,), udp=(53,))


def isolate(namespace: str, ingress: Mapping[str, Opening], egress: Mapping[str, Opening]) -> tuple[Object, ...]:
    """Shut a namespace in both directions but for what is named; names may be asked for DNS in any case.

    Args:
        namespace: Its name.
        ingress: Who may come in, by the opening's name: the policy is called `from-<name>`.
        egress: Where pods may go, by the opening's name: the policy is called `to-<name>`.
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
