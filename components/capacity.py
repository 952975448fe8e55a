"""Nodes with volumes of a cluster on AWS, as pods ask for them.

Capacity("prod", CapacityArgs(objects=compile_capacity(settings, context)), ResourceOptions(providers=[provider]))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import install


@dataclass(frozen=True, kw_only=True, eq=False)
class CapacityArgs:
    """What `Capacity` takes.

    Args:
        objects: Compiled by `slipway.platform.capacity`.
    """

    objects: tuple[Mapping[str, Any], ...]


class Capacity(pulumi.ComponentResource):
    """The autoscaler of node pools, with the default class of volumes."""

    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: CapacityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.CAPACITY, name, None, opts)
        install(self, args.objects)
        self.outputs = {}
        self.register_outputs(self.outputs)
