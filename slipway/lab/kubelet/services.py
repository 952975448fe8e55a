"""Routes and names of Services."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from slipway.lab.relay import Address
from slipway.objects import Object

#: Label of an EndpointSlice: the Service that it belongs to.
OWNER = "kubernetes.io/service-name"
#: Default domain of a cluster.
DOMAIN = "cluster.local"


@dataclass(frozen=True)
class Name:
    """DNS name within a namespace, with its addresses."""

    namespace: str
    name: str
    addresses: tuple[str, ...]


def routes(services: Iterable[Object], slices: Iterable[Object]) -> dict[Address, tuple[Address, ...]]:
    """Return the ready endpoints of each Service, by cluster address and port."""
    owned = _by_service(slices)
    found = {}
    for service in services:
        address = service["spec"].get("clusterIP") or "None"
        for port in service["spec"].get("ports") or () if address != "None" else ():
            if port.get("protocol", "TCP") == "TCP":
                pieces = owned.get(_key(service), ())
                found[address, int(port["port"])] = tuple(_targets(pieces, port.get("name") or ""))
    return found


def names(services: Iterable[Object], slices: Iterable[Object]) -> list[Name]:
    """Return the records of the cluster's DNS: Services, pods of headless ones, and pods with their own host names."""
    owned = _by_service(slices)
    found = []
    for service in services:
        (namespace, name), address = _key(service), service["spec"].get("clusterIP") or "None"
        if address != "None":
            found.append(Name(namespace, name, (address,)))
            continue
        ready = [end for piece in owned.get((namespace, name), ()) for end in _ready(piece)]
        found.append(Name(namespace, name, tuple(sorted({each for end in ready for each in end["addresses"]}))))
        own = [end for end in ready if end.get("hostname")]
        found += [Name(namespace, f"{end['hostname']}.{name}", tuple(end["addresses"])) for end in own]
    return sorted((each for each in found if each.addresses), key=lambda each: (each.namespace, each.name))


def hosts(known: Iterable[Name], namespace: str) -> str:
    """Return the text of a hosts file (hosts(5)) for the pods of one namespace, with its names in short form too."""
    lines = []
    for each in known:
        whole = f"{each.name}.{each.namespace}"
        forms = [f"{whole}.svc.{DOMAIN}", f"{whole}.svc", whole, *([each.name] if each.namespace == namespace else [])]
        lines += [f"{address} {' '.join(forms)}\n" for address in each.addresses]
    return "".join(lines)


def _key(service: Object) -> tuple[str, str]:
    return service["metadata"]["namespace"], service["metadata"]["name"]


def _by_service(slices: Iterable[Object]) -> Mapping[tuple[str, str], list[Object]]:
    owned = defaultdict(list)
    for piece in slices:
        labels = piece["metadata"].get("labels") or {}
        if OWNER in labels and piece.get("addressType") == "IPv4":
            owned[piece["metadata"]["namespace"], labels[OWNER]].append(piece)
    return owned


def _targets(pieces: Iterable[Object], port_name: str) -> Iterator[Address]:
    for piece in pieces:
        ports = [port["port"] for port in piece.get("ports") or () if (port.get("name") or "") == port_name]
        yield from ((address, port) for end in _ready(piece) for address in end["addresses"] for port in ports)


def _ready(piece: Object) -> list[Object]:
    # An unknown condition counts as ready (EndpointConditions).
    return [end for end in piece.get("endpoints") or () if (end.get("conditions") or {}).get("ready") is not False]
