"""Compilers of the objects of an environment, as plain dicts."""

from slipway.compile.llm import CompiledLlm, compile_llm
from slipway.compile.metrics import compile_shared
from slipway.compile.model import CompiledModel, compile_model, serving_changes
from slipway.compile.refusals import refusals

__all__ = [
    "CompiledLlm",
    "CompiledModel",
    "compile_llm",
    "compile_model",
    "compile_shared",
    "refusals",
    "serving_changes",
]
