"""The namespaces of models with those of training, in an environment's cluster.

Network("prod", NetworkArgs(objects=compile_network(settings, context)), ResourceOptions(providers=[provider]))

Needs a network plugin that honours NetworkPolicy; where the plugin has none, the policies are accepted, without effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import install


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkArgs:
    """What `Network` takes.

    Args:
        objects: Compiled by `slipway.platform.network`.
    """

    objects: tuple[Mapping[str, Any], ...]


class Network(pulumi.ComponentResource):
    """Two namespaces, shut in both directions but for what their settings name.

    Outputs:
        namespaces: Their names.
    """

    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.NETWORK, name, None, opts)
        install(self, args.objects)
        self.outputs = {
            "namespaces": [each["metadata"]["name"] for each in args.objects if each["kind"] == "Namespace"]
        }
        self.register_outputs(self.outputs)
