"""What people write about an LLM, beside what they write about any."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from slipway.documents import Frozen
from slipway.quantities import Memory

#: KServe's kind of an LLM's server.
GROUP, VERSION, KIND = "serving.kserve.io", "v1alpha2", "LLMInferenceService"
API_VERSION = f"{GROUP}/{VERSION}"
#: vLLM's arguments go through a shell (kserve config/llmisvcconfig/config-llm-template.yaml): nothing that it reads.
Argument = Annotated[str, Field(pattern=r"^--[a-z][-a-z0-9]*(=[-_.,:/A-Za-z0-9]+)?$")]


class NodeCache(Frozen):
    """A copy of the weights on the nodes' own disks: a replica that comes later starts without a download."""

    #: Names of KServe's LocalModelNodeGroups.
    node_groups: tuple[str, ...] = Field(min_length=1)
    #: What the weights take, at most.
    size: Memory


class Llm(Frozen):
    """How vLLM serves it; what a replica needs stands in `serving`, each of its GPUs gets one part of the tensors."""

    #: Where the weights are below the artifact; empty: the artifact itself is what vLLM loads.
    path: str = Field(default="", pattern=r"^[-_.A-Za-z0-9/]*$")
    #: Tokens of a prompt with its answer (--max-model-len); None takes what the model was made for.
    context_tokens: int | None = Field(default=None, ge=1)
    #: Requests that are answered at once (--max-num-seqs); None takes vLLM's own.
    concurrent_requests: int | None = Field(default=None, ge=1)
    #: Percent of a GPU's memory for weights and keys (--gpu-memory-utilization); vLLM's own default.
    gpu_memory_percent: int = Field(default=90, ge=1, le=100)
    #: How the weights were quantized (--quantization); None asks the model's own configuration.
    quantization: str | None = Field(default=None, pattern=r"^[a-z0-9_]+$")
    #: Whether prompts that begin alike share their keys.
    prefix_caching: bool = True
    #: Main memory for keys that no longer fit into the GPU's; needs vLLM 0.22. None drops them.
    kv_cache: Memory | None = None
    #: Whether llm-d's scheduler chooses the replica, by its queue, by the prefixes that it holds; the Gateway must be
    #: one that routes to InferencePools.
    scheduler: bool = False
    node_cache: NodeCache | None = None
    #: Further arguments of `vllm serve`, as `--dtype=bfloat16`.
    arguments: tuple[Argument, ...] = ()
