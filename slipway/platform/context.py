"""What every component is compiled from besides its own settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slipway.platform.charts import Charts

if TYPE_CHECKING:
    from slipway.environment import Environment


@dataclass(frozen=True)
class Context:
    """The environment that a component is installed into.

    Args:
        environment: All settings of the stack.
        charts: Renders the pinned charts.
    """

    environment: Environment
    charts: Charts
