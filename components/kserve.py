"""KServe in an environment's cluster.

Kserve("prod", KserveArgs(objects=compile_kserve(settings, context)), ResourceOptions(providers=[provider]))

Needs cert-manager in the cluster, which signs the certificate of its webhooks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import install, names


@dataclass(frozen=True, kw_only=True, eq=False)
class KserveArgs:
    """What `Kserve` takes.

    Args:
        objects: Compiled by `slipway.platform.kserve`.
    """

    objects: tuple[Mapping[str, Any], ...]


class Kserve(pulumi.ComponentResource):
    """The controller with its definitions, its webhooks, its runtimes.

    Outputs:
        namespace: Where its controllers run.
        runtimes: What a setting `runtime` may name.
    """

    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: KserveArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.KSERVE, name, None, opts)
        install(self, args.objects)
        self.outputs = {
            "namespace": names(args.objects, "Namespace")[0],
            "runtimes": names(args.objects, "ClusterServingRuntime"),
        }
        self.register_outputs(self.outputs)
