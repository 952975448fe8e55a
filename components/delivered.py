"""Component for a model whose objects come by Git."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pulumi

from components.manifest import Manifest
from components.model import OWNED_BY_FLAGGER, ModelArgs, outputs


@dataclass(frozen=True, kw_only=True, eq=False)
class DeliveredArgs(ModelArgs):
    """Arguments of `Delivered`: those of `Model`, of which `protect` is about the pair of Services.

    Args:
        path: Directory of the model's files in the repository that Argo CD reads.
    """

    path: str


class Delivered(pulumi.ComponentResource):
    """The pair of Services, which Flagger owns once created; Argo CD applies all other objects of the model.

    Flagger cannot create the pair: it copies the target's clusterIPs, which the API server refuses. But at each check
    it copies the target's spec and annotations into the pair, so the pair would have two appliers if it came by Git
    too.
    """

    #: Exported facts about the model: url, release, digest, version, path.
    outputs: dict[str, object]

    def __init__(self, name: str, args: DeliveredArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:model:Delivered", name, None, opts)
        options = pulumi.ResourceOptions(parent=self, ignore_changes=OWNED_BY_FLAGGER, protect=args.protect)
        pair = (args.compiled.primary, args.compiled.canary_service)
        self._children = [Manifest(each, options) for each in pair]
        self.outputs = {**outputs(args.url, args.target), "path": args.path}
        self.register_outputs(self.outputs)

    async def registered(self) -> None:
        """Return when the engine has processed the pair, even if it failed."""
        await asyncio.gather(*(child.urn.future() for child in self._children), return_exceptions=True)
