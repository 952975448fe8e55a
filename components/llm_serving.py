"""Component for KServe's LLM controller."""

from components.system import System


class LlmServing(System):
    """KServe's LLM controller, its definitions, webhooks and vLLM presets, and the cache of weights on nodes."""

    TOKEN = "slipway:llm_serving:LlmServing"
