"""KServe's controller for LLMs in an environment's cluster.

args = SystemArgs(objects=compile_llm_serving(settings, context))
LlmServing("prod", args, ResourceOptions(providers=[provider]))
"""

from __future__ import annotations

from components import tokens
from components.system import System


class LlmServing(System):
    """The controller with its definitions, its webhooks, its presets for vLLM, the copies of weights on nodes."""

    TOKEN = tokens.LLM_SERVING
