"""Division of a VPC's addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Zone:
    """Availability zone: private network of nodes, pods and databases, public one of load balancers and NAT."""

    name: str
    private: str
    public: str


def divide(network: str, region: str, letters: Sequence[str]) -> tuple[Zone, ...]:
    """Return an eighth of the network for each zone's private part, and a sixty-fourth for its public part.

    Every pod has an address, so most are private. A zone that is appended moves no other.
    """
    *eighths, last = ipaddress.IPv4Network(network).subnets(prefixlen_diff=3)
    public = list(last.subnets(prefixlen_diff=3))
    return tuple(
        Zone(f"{region}{letter}", str(eighths[number]), str(public[number])) for number, letter in enumerate(letters)
    )
