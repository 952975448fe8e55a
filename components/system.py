"""The base of the systems that an environment installs.

Flagger("prod", SystemArgs(objects=compile_flagger(settings, context)), ResourceOptions(providers=[provider]))
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pulumi

from components.installing import install

Objects = Sequence[Mapping[str, Any]]
Outputs = dict[str, Any]
#: What was measured or decided outlives what measured it: a volume, with the namespace that it would go with.
DATA = ("Namespace", "PersistentVolumeClaim")


@dataclass(frozen=True, kw_only=True, eq=False)
class SystemArgs:
    """Arguments of every system.

    Args:
        objects: Compiled by the module of the system's name in `slipway.platform`.
    """

    objects: Objects


class System(pulumi.ComponentResource):
    """The objects of one system, in the order that they need."""

    TOKEN: ClassVar[str]
    #: Kinds that stay in the cluster when the component goes.
    KEPT: ClassVar[Collection[str]] = ()
    #: What the program exports about it.
    outputs: Outputs

    def __init__(self, name: str, args: SystemArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        install(self, args.objects, kept=self.KEPT)
        self.outputs = self.describe(args.objects)
        self.register_outputs(self.outputs)

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        """Return the outputs; a system has none by default."""
        return {}


class Controllers(System):
    """A system whose only output is the namespace of its controllers."""

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"namespace": names(objects, "Namespace")[0]}


def names(objects: Objects, *kinds: str) -> list[str]:
    """List the names of the objects of some kinds."""
    return [each["metadata"]["name"] for each in objects if each["kind"] in kinds]
