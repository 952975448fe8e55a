"""The Gateway that users reach, in an environment's cluster.

Gateway("prod", GatewayArgs(objects=compile_gateway(settings, context)), ResourceOptions(providers=[provider]))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import install, names


@dataclass(frozen=True, kw_only=True, eq=False)
class GatewayArgs:
    """What `Gateway` takes.

    Args:
        objects: Compiled by `slipway.platform.gateway`.
    """

    objects: tuple[Mapping[str, Any], ...]


class Gateway(pulumi.ComponentResource):
    """Gateway API with its definitions, the Gateway, behind it Traefik.

    Outputs:
        namespace: Where it is.
        gateway: Its name, which routes refer to.
    """

    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.GATEWAY, name, None, opts)
        install(self, args.objects)
        self.outputs = {
            "namespace": names(args.objects, "Namespace")[0],
            "gateway": names(args.objects, "Gateway")[0],
        }
        self.register_outputs(self.outputs)
