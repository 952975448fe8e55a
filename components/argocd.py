"""Argo CD in an environment's cluster.

ArgoCd("prod", ArgoCdArgs(objects=compile_argocd(settings, context)), ResourceOptions(providers=[provider]))

What it delivers (projects, the models' ApplicationSet, further Applications) is declared after its servers, so it is
deleted before them: an Application that takes its objects with it needs them for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import install


@dataclass(frozen=True, kw_only=True, eq=False)
class ArgoCdArgs:
    """What `ArgoCd` takes.

    Args:
        objects: Compiled by `slipway.platform.argocd`.
    """

    objects: tuple[Mapping[str, Any], ...]


class ArgoCd(pulumi.ComponentResource):
    """The servers, and what they deliver.

    Outputs:
        delivers: Names of the Applications and ApplicationSets that are declared here.
    """

    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: ArgoCdArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.ARGOCD, name, None, opts)
        install(self, args.objects)
        delivers = [each for each in args.objects if each["kind"] in ("Application", "ApplicationSet")]
        self.outputs = {"delivers": sorted(str(each["metadata"]["name"]) for each in delivers)}
        self.register_outputs(self.outputs)
