"""All components of an environment, compiled."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from slipway.models.spec import load_model_specs
from slipway.objects import Object
from slipway.platform.charts import Charts
from slipway.platform.context import Context
from slipway.tools import toolchain

if TYPE_CHECKING:
    from slipway.settings.environment import Environment


def context_of(environment: Environment, project: Path) -> Context:
    """Gather what components are compiled from besides their own settings.

    Raises:
        SlipwayError: The tools that render charts are not built, or a model spec does not fit.
    """
    charts = Charts(toolchain.binary("helm"), toolchain.data("charts"), toolchain.cache() / "rendered")
    directory = project / "models"
    # A checkout of the platform alone has none.
    models = tuple(load_model_specs(directory).values()) if directory.is_dir() else ()
    return Context(environment, charts, models)


def compile_all(context: Context) -> dict[str, tuple[Object, ...]]:
    """Compile the components that an environment installs, by their names.

    Each has a module of its name, in that a function: `compile_<name>(settings, context)`.

    Raises:
        SlipwayError: One of them cannot be compiled.
    """
    platform = context.environment.platform
    wanted = [name for name in type(platform).model_fields if getattr(platform, name)]
    return {name: compile_one(name, getattr(platform, name), context) for name in wanted}


def compile_one(name: str, settings: object, context: Context, *stores: object) -> tuple[Object, ...]:
    """Compile one component; what it keeps outside of the cluster comes last, if it does."""
    module = importlib.import_module(f"slipway.platform.{name}")
    found: tuple[Object, ...] = getattr(module, f"compile_{name}")(settings, context, *stores)
    return found
