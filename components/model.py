"""One model as its users see it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import pulumi

from components.manifest import Manifest
from slipway import names
from slipway.compile import CompiledModel
from slipway.models.release import Release
from slipway.objects import Object

#: KServe fills its object in, and a changed label restarts production pods: created once, never updated.
CREATE_ONLY = ["spec", "metadata.labels", "metadata.annotations"]
#: Flagger writes the pair, with what it copies from the target, after we have created it.
OWNED_BY_FLAGGER = ["spec", "metadata.labels", "metadata.annotations"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelArgs:
    """What `Model` takes.

    Args:
        compiled: The objects.
        target: The release that the target selects.
        url: Where users ask.
        protect: Whether Pulumi refuses to delete the Canary: with it goes the route.
    """

    compiled: CompiledModel
    target: Release
    url: str
    protect: bool


def refuse(name: str, args: ModelArgs) -> None:
    """Check what the order of creation rests on.

    Raises:
        ValueError: The objects do not belong together.
    """
    declared = [_name(service) for service in args.compiled.inference_services]
    if len(set(declared)) != len(declared):
        raise ValueError(f"model {name}: expected InferenceServices of different names, got {declared}")
    for service in _trio(args.compiled):
        if not _selected(service, declared):
            selector = service["spec"]["selector"]
            raise ValueError(
                f"model {name}: {_name(service)} selects {selector}; expected the pods of one of {declared}"
            )


class Model(pulumi.ComponentResource):
    """The InferenceServices of a model, the three Services in front of them, and its Canary.

    The stable InferenceService comes first and is awaited; then the Services; then the Canary, since Flagger looks for
    all three at once. A candidate is awaited before the target moves to it.
    """

    #: What the program says about the model: url, release, digest, version.
    outputs: dict[str, object]

    def __init__(self, name: str, args: ModelArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse(name, args)
        super().__init__("slipway:model:Model", name, None, opts)
        once = pulumi.ResourceOptions(parent=self, ignore_changes=CREATE_ONLY)
        services = {_name(manifest): Manifest(manifest, once) for manifest in args.compiled.inference_services}
        trio = [
            Manifest(
                manifest,
                pulumi.ResourceOptions(
                    parent=self,
                    depends_on=services[_selected(manifest, services)],
                    ignore_changes=None if manifest is args.compiled.target else OWNED_BY_FLAGGER,
                ),
            )
            for manifest in _trio(args.compiled)
        ]
        guarded = pulumi.ResourceOptions(parent=self, depends_on=trio, protect=args.protect)
        canary = Manifest(args.compiled.canary, guarded)
        # The mirroring, then the router that uses it, both once the target has moved.
        copies: list[Manifest] = []
        for manifest in args.compiled.copies:
            copies.append(Manifest(manifest, pulumi.ResourceOptions(parent=self, depends_on=[*trio, *copies])))
        self._children = [*services.values(), *trio, canary, *copies]
        self.outputs = outputs(args.url, args.target)
        self.register_outputs(self.outputs)

    async def registered(self) -> None:
        """Return when the engine has dealt with every object of the model, well or not."""
        urns = [child.urn.future() for child in self._children]
        await asyncio.gather(*urns, return_exceptions=True)


def outputs(url: str, target: Release) -> dict[str, object]:
    """Say what users get of a model, and where."""
    return {"url": url, "release": target.id, "digest": target.artifact.digest, "version": target.version}


def _trio(compiled: CompiledModel) -> tuple[Object, Object, Object]:
    return compiled.target, compiled.primary, compiled.canary_service


def _selected(service: Object, declared: Iterable[str]) -> str:
    """Say which of the declared InferenceServices a Service selects; of none, nothing."""
    return next((name for name in declared if names.selector(name) == service["spec"]["selector"]), "")


def _name(manifest: Object) -> str:
    return str(manifest["metadata"]["name"])
