"""cert-manager in an environment's cluster.

args = CertManagerArgs(objects=compile_cert_manager(settings, context))
CertManager("prod", args, ResourceOptions(providers=[provider]))

An environment on EKS leaves it out: there it is an add-on of the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import install, names


@dataclass(frozen=True, kw_only=True, eq=False)
class CertManagerArgs:
    """What `CertManager` takes.

    Args:
        objects: Compiled by `slipway.platform.cert_manager`.
    """

    objects: tuple[Mapping[str, Any], ...]


class CertManager(pulumi.ComponentResource):
    """The controllers with their definitions.

    Outputs:
        namespace: Where its controllers run.
    """

    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: CertManagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.CERT_MANAGER, name, None, opts)
        install(self, args.objects)
        self.outputs = {"namespace": names(args.objects, "Namespace")[0]}
        self.register_outputs(self.outputs)
