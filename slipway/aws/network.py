"""How a VPC's addresses are divided."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Zone:
    """One availability zone's part.

    Args:
        name: As AWS calls it: the region with a letter.
        private: Network of the nodes, the pods, the databases.
        public: Network of NAT gateways and load balancers only.
    """

    name: str
    private: str
    public: str


def divide(network: str, region: str, letters: Sequence[str]) -> tuple[Zone, ...]:
    """Give each zone an eighth for what is private, and a sixty-fourth for what is public.

    Every pod has an address of its own, so nearly all of them are private. The places depend on the order of the
    zones: one that is added at the end moves no other.
    """
    *eighths, last = ipaddress.IPv4Network(network).subnets(prefixlen_diff=3)
    public = list(last.subnets(prefixlen_diff=3))
    return tuple(
        Zone(f"{region}{letter}", str(eighths[number]), str(public[number])) for number, letter in enumerate(letters)
    )
