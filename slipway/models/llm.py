"""The fields of an LLM in a model's spec."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from slipway.documents import Frozen
from slipway.quantities import Memory

#: KServe's kind for LLM servers.
GROUP, VERSION, KIND = "serving.kserve.io", "v1alpha2", "LLMInferenceService"
API_VERSION = f"{GROUP}/{VERSION}"
#: vLLM's arguments pass a shell (kserve config/llmisvcconfig/config-llm-template.yaml): no character special to it.
Argument = Annotated[str, Field(pattern=r"^--[a-z][-a-z0-9]*(=[-_.,:/A-Za-z0-9]+)?$")]


class NodeCache(Frozen):
    """A copy of the weights on the nodes' disks: a later replica starts without a download."""

    #: Names of KServe's LocalModelNodeGroups.
    node_groups: tuple[str, ...] = Field(min_length=1)
    #: The largest size of the weights.
    size: Memory


class Llm(Frozen):
    """The settings of vLLM. A replica's resources are in `serving`; each GPU gets one part of the tensors."""

    #: Path of the weights below the artifact; empty if vLLM loads the artifact itself.
    path: str = Field(default="", pattern=r"^[-_.A-Za-z0-9/]*$")
    #: Tokens of a prompt and its answer (--max-model-len); None takes the model's own limit.
    context_tokens: int | None = Field(default=None, ge=1)
    #: Requests that are answered at once (--max-num-seqs); None takes vLLM's default.
    concurrent_requests: int | None = Field(default=None, ge=1)
    #: Percent of a GPU's memory for weights and keys (--gpu-memory-utilization); vLLM's own default.
    gpu_memory_percent: int = Field(default=90, ge=1, le=100)
    #: Quantization of the weights (--quantization); None takes the model's configuration.
    quantization: str | None = Field(default=None, pattern=r"^[a-z0-9_]+$")
    #: Whether prompts with a common beginning share their keys.
    prefix_caching: bool = True
    #: Main memory for keys that do not fit into the GPU; needs vLLM 0.22. None drops them.
    kv_cache: Memory | None = None
    #: Whether llm-d's scheduler chooses the replica by its queue and its prefixes; needs a Gateway with InferencePools.
    scheduler: bool = False
    node_cache: NodeCache | None = None
    #: Further arguments of `vllm serve`, such as `--dtype=bfloat16`.
    arguments: tuple[Argument, ...] = ()
