"""One model whose objects come by Git.

Delivered("churn", DeliveredArgs(compiled=compiled, target=release, url=url, path=path, protect=True), options)
"""

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
    """The pair of Services, which is Flagger's from then on; all else of the model is Argo CD's to apply.

    Flagger cannot make the pair itself (it copies the target's clusterIPs, which the API server refuses), yet puts the
    target's spec with its annotations into it at every look: two appliers in one object, if it came by Git too.
    """

    #: What the program says about the model: url, release, digest, version, path.
    outputs: dict[str, object]

    def __init__(self, name: str, args: DeliveredArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:model:Delivered", name, None, opts)
        options = pulumi.ResourceOptions(parent=self, ignore_changes=OWNED_BY_FLAGGER, protect=args.protect)
        pair = (args.compiled.primary, args.compiled.canary_service)
        self._children = [Manifest(each, options) for each in pair]
        self.outputs = {**outputs(args.url, args.target), "path": args.path}
        self.register_outputs(self.outputs)

    async def registered(self) -> None:
        """Return when the engine has dealt with the pair, well or not."""
        await asyncio.gather(*(child.urn.future() for child in self._children), return_exceptions=True)
