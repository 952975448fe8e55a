"""What every system is compiled from besides its own settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slipway.errors import SlipwayError, at
from slipway.models.spec import ModelSpec
from slipway.platform.charts import Charts
from slipway.settings.environment import Environment


@dataclass(frozen=True)
class Database:
    """A database that is made beside the cluster.

    Args:
        host: Its address; known when it is there, so it may be an output of Pulumi's.
        secret: Name or ARN of what holds its login, in the environment's store of secrets.
    """

    host: Any
    secret: Any


#: What a preview shows until the database is there.
TO_BE_MADE = Database("to-be-made.invalid", "to-be-made")


@dataclass(frozen=True)
class Context:
    """The environment that a system is installed into.

    Args:
        environment: All settings of the stack.
        charts: Renders the pinned charts.
        models: The specs of the models that are to run on it.
        database: The system's own, if it has one outside of the cluster.
    """

    environment: Environment
    charts: Charts
    models: tuple[ModelSpec, ...] = ()
    database: Database = TO_BE_MADE

    def error(self, field: str, problem: str) -> SlipwayError:
        """Return the error of a setting, `field` below `slipway:platform`."""
        return SlipwayError(f"{at(f'Pulumi.{self.environment.name}.yaml', None, f'slipway:platform.{field}')}{problem}")
