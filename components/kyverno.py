"""Kyverno in an environment's cluster.

Kyverno("prod", KyvernoArgs(objects=compile_kyverno(settings, context)), ResourceOptions(providers=[provider]))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import install, names


@dataclass(frozen=True, kw_only=True, eq=False)
class KyvernoArgs:
    """What `Kyverno` takes.

    Args:
        objects: Compiled by `slipway.platform.kyverno`.
    """

    objects: tuple[Mapping[str, Any], ...]


class Kyverno(pulumi.ComponentResource):
    """The admission controller with the kinds of policies that it knows; no policy.

    Outputs:
        namespace: Where its controllers run.
    """

    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: KyvernoArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.KYVERNO, name, None, opts)
        install(self, args.objects)
        self.outputs = {"namespace": names(args.objects, "Namespace")[0]}
        self.register_outputs(self.outputs)
