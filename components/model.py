"""Component for one model."""

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

#: KServe writes defaults into its object, and a changed label restarts production pods: never updated.
CREATE_ONLY = ["spec", "metadata.labels", "metadata.annotations"]
#: Flagger copies fields of the target into the pair after its creation.
OWNED_BY_FLAGGER = ["spec", "metadata.labels", "metadata.annotations"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelArgs:
    """Arguments of `Model`.

    Args:
        target: The release that the target Service selects.
        url: URL for users' requests.
        protect: Whether Pulumi refuses to delete the Canary, whose deletion removes the route.
    """

    compiled: CompiledModel
    target: Release
    url: str
    protect: bool


def refuse(name: str, args: ModelArgs) -> None:
    """Check that the objects belong together, as the order of creation requires.

    Raises:
        ValueError: Duplicate InferenceServices, or a Service that selects none of them.
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
    """The InferenceServices of a model, their three Services, and the Canary.

    The stable InferenceService becomes ready first, then the Services are created, then the Canary, because Flagger
    reads all three at once. A candidate becomes ready before the target moves to it.
    """

    #: Exported facts about the model: url, release, digest, version.
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
        # The mirroring and then the router that uses it, both after the target has moved.
        copies: list[Manifest] = []
        for manifest in args.compiled.copies:
            copies.append(Manifest(manifest, pulumi.ResourceOptions(parent=self, depends_on=[*trio, *copies])))
        self._children = [*services.values(), *trio, canary, *copies]
        self.outputs = outputs(args.url, args.target)
        self.register_outputs(self.outputs)

    async def registered(self) -> None:
        """Return when the engine has processed every object of the model, even if some failed."""
        urns = [child.urn.future() for child in self._children]
        await asyncio.gather(*urns, return_exceptions=True)


def outputs(url: str, target: Release) -> dict[str, object]:
    """Return the exported facts about a model."""
    return {"url": url, "release": target.id, "digest": target.artifact.digest, "version": target.version}


def _trio(compiled: CompiledModel) -> tuple[Object, Object, Object]:
    return compiled.target, compiled.primary, compiled.canary_service


def _selected(service: Object, declared: Iterable[str]) -> str:
    """Return the declared InferenceService that a Service selects; empty if it selects none."""
    return next((name for name in declared if names.selector(name) == service["spec"]["selector"]), "")


def _name(manifest: Object) -> str:
    return str(manifest["metadata"]["name"])
