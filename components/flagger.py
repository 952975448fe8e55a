"""Flagger in an environment's cluster.

Flagger("prod", FlaggerArgs(objects=compile_flagger(settings, context)), ResourceOptions(providers=[provider]))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import install


@dataclass(frozen=True, kw_only=True, eq=False)
class FlaggerArgs:
    """What `Flagger` takes.

    Args:
        objects: Compiled by `slipway.platform.flagger`.
    """

    objects: tuple[Mapping[str, Any], ...]


class Flagger(pulumi.ComponentResource):
    """The controller with its definitions."""

    def __init__(self, name: str, args: FlaggerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.FLAGGER, name, None, opts)
        install(self, args.objects)
        self.register_outputs({})
