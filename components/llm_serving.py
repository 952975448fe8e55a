"""KServe's controller for large language models in an environment's cluster.

args = LlmServingArgs(objects=compile_llm_serving(settings, context))
LlmServing("prod", args, ResourceOptions(providers=[provider]))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import install


@dataclass(frozen=True, kw_only=True, eq=False)
class LlmServingArgs:
    """What `LlmServing` takes.

    Args:
        objects: Compiled by `slipway.platform.llm_serving`.
    """

    objects: tuple[Mapping[str, Any], ...]


class LlmServing(pulumi.ComponentResource):
    """The controller with its definitions, its webhooks, its presets for vLLM, the copies of weights on nodes."""

    def __init__(self, name: str, args: LlmServingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.LLM_SERVING, name, None, opts)
        install(self, args.objects)
        self.register_outputs({})
