"""Inputs that all systems share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slipway.errors import SlipwayError, at
from slipway.models.spec import ModelSpec
from slipway.platform.charts import Charts
from slipway.settings.environment import Environment


@dataclass(frozen=True)
class Database:
    """Address of a database outside the cluster, and name or ARN of its login in the secret store; maybe outputs."""

    host: Any
    secret: Any


#: Placeholder in previews until the database exists.
TO_BE_MADE = Database("to-be-made.invalid", "to-be-made")


@dataclass(frozen=True)
class Context:
    """The environment that a system is installed into, its models, and the system's database outside the cluster."""

    environment: Environment
    charts: Charts
    models: tuple[ModelSpec, ...] = ()
    database: Database = TO_BE_MADE

    def error(self, field: str, problem: str) -> SlipwayError:
        """Return the error of a setting below `slipway:platform`."""
        return SlipwayError(f"{at(f'Pulumi.{self.environment.name}.yaml', None, f'slipway:platform.{field}')}{problem}")
