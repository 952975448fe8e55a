"""Base class of the platform's components.

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
#: Measurements and decisions outlive their system: volumes and the namespaces that hold them.
DATA = ("Namespace", "PersistentVolumeClaim")


@dataclass(frozen=True, kw_only=True, eq=False)
class SystemArgs:
    """Arguments of every system: the objects compiled by the module of its name in `slipway.platform`."""

    objects: Objects


class System(pulumi.ComponentResource):
    """The objects of one system, in the order of their dependencies."""

    TOKEN: ClassVar[str]
    #: Kinds that stay in the cluster when the component is deleted.
    KEPT: ClassVar[Collection[str]] = ()
    #: Exported by the program.
    outputs: Outputs

    def __init__(self, name: str, args: SystemArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        install(self, args.objects, kept=self.KEPT)
        self.outputs = self.describe(args.objects)
        self.register_outputs(self.outputs)

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        """Return the outputs; by default there are none."""
        return {}


class Controllers(System):
    """System whose only output is the namespace of its controllers."""

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"namespace": names(objects, "Namespace")[0]}


def names(objects: Objects, *kinds: str) -> list[str]:
    """List the names of the objects of some kinds."""
    return [each["metadata"]["name"] for each in objects if each["kind"] in kinds]
