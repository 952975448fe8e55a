"""Flagger in an environment's cluster.

Flagger("prod", FlaggerArgs(objects=compile_flagger(settings, context)), ResourceOptions(providers=[provider]))

Needs the definitions of Gateway API, which `Gateway` installs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import install, names


@dataclass(frozen=True, kw_only=True, eq=False)
class FlaggerArgs:
    """What `Flagger` takes.

    Args:
        objects: Compiled by `slipway.platform.flagger`.
    """

    objects: tuple[Mapping[str, Any], ...]


class Flagger(pulumi.ComponentResource):
    """The controller with its definitions.

    Outputs:
        namespace: Where its controllers run.
    """

    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: FlaggerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.FLAGGER, name, None, opts)
        install(self, args.objects)
        self.outputs = {"namespace": names(args.objects, "Namespace")[0]}
        self.register_outputs(self.outputs)
