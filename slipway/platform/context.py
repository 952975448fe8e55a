"""What every component is compiled from besides its own settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slipway.models.spec import ModelSpec
from slipway.platform.charts import Charts

if TYPE_CHECKING:
    from slipway.settings.environment import Environment


@dataclass(frozen=True)
class Context:
    """The environment that a component is installed into.

    Args:
        environment: All settings of the stack.
        charts: Renders the pinned charts.
        models: What people say of the models that are to run on it, by name.
    """

    environment: Environment
    charts: Charts
    models: tuple[ModelSpec, ...] = ()
