"""Component for one LLM.

Its outputs are those of `Model`; the release is the candidate during a rollout, otherwise the stable one.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.manifest import Manifest
from components.model import CREATE_ONLY, outputs
from slipway.compile import CompiledLlm
from slipway.models.release import Release


@dataclass(frozen=True, kw_only=True, eq=False)
class LlmArgs:
    """Arguments of `Llm`: the plan's release and the URL for chat completions of OpenAI's API."""

    compiled: CompiledLlm
    target: Release
    url: str


class Llm(pulumi.ComponentResource):
    """The LLMInferenceServices of a model, after the copies of their weights.

    They are created once and never updated: `slipway rollout step` changes their traffic weights.
    """

    #: Exported facts about the model: url, release, digest, version.
    outputs: dict[str, object]

    def __init__(self, name: str, args: LlmArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:llm:Llm", name, None, opts)
        # KServe looks for a copy when an LLMInferenceService is created, not later.
        copied = pulumi.ResourceOptions(parent=self, ignore_changes=["spec"])
        caches = {cache["metadata"]["name"]: Manifest(cache, copied) for cache in args.compiled.caches}
        for manifest in args.compiled.inference_services:
            service = manifest["metadata"]["name"]
            needs = [caches[service]] if service in caches else []
            Manifest(manifest, pulumi.ResourceOptions(parent=self, depends_on=needs, ignore_changes=CREATE_ONLY))
        self.outputs = outputs(args.url, args.target)
        self.register_outputs(self.outputs)
