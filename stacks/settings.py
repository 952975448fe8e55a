"""The only reader of Pulumi's configuration."""

from __future__ import annotations

import json
from typing import Any

import pulumi
from pulumi.runtime import get_config_env

from slipway.environment import Environment


def read() -> Environment:
    """Read the settings of the stack that is running.

    Raises:
        SlipwayError: A setting is missing, unknown or wrong.
    """
    project, stack = pulumi.get_project(), pulumi.get_stack()
    config, prefix = pulumi.Config(), f"{project}:"
    # Config can only be asked for keys that are known; an unknown one must be refused, so all are listed first.
    keys = {key.removeprefix(prefix) for key in get_config_env() if key.startswith(prefix)}
    settings = {key: _value(config.get(key)) for key in sorted(keys)}
    return Environment.parse(stack, settings, f"Pulumi.{stack}.yaml")


def _value(text: str | None) -> Any:
    """Read an object or a list, which Pulumi hands over as JSON."""
    return json.loads(text) if text and text[0] in "{[" else text
