"""KServe's controller for LLMs in an environment's cluster."""

from components.system import System


class LlmServing(System):
    """The controller with its definitions, its webhooks, its presets for vLLM, the copies of weights on nodes."""

    TOKEN = "slipway:llm_serving:LlmServing"
