"""One system that an environment installs, as a component; each has a module here that says what it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pulumi

from components.installing import install

Objects = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class SystemArgs:
    """What every system takes.

    Args:
        objects: Compiled by the module of the system's name in `slipway.platform`.
    """

    objects: Objects


class System(pulumi.ComponentResource):
    """The objects of one system, in the order that they need."""

    TOKEN: ClassVar[str]
    #: Kinds that stay in the cluster when the component goes.
    KEPT: ClassVar[Collection[str]] = ()
    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: SystemArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        install(self, args.objects, kept=self.KEPT)
        self.outputs = self.describe(args.objects)
        self.register_outputs(self.outputs)

    @staticmethod
    def describe(objects: Objects) -> dict[str, Any]:
        """Make the outputs; a system without any says nothing."""
        return {}
