"""Reader of Pulumi's configuration."""

from __future__ import annotations

import json
from typing import Any

import pulumi
from pulumi.runtime import get_config_env
from pulumi.runtime.config import is_config_secret

from slipway.settings.environment import Environment
from slipway.settings.stack_file import refuse_namespaces, refuse_secrets


def read() -> Environment:
    """Read the settings of the running stack.

    Raises:
        SlipwayError: A setting is missing, unknown or invalid.
    """
    project, stack = pulumi.get_project(), pulumi.get_stack()
    config, prefix, source = pulumi.Config(), f"{project}:", f"Pulumi.{stack}.yaml"
    # All keys are listed, because unknown ones must be refused.
    given = get_config_env()
    refuse_namespaces(given, source)
    refuse_secrets(filter(is_config_secret, given), source)
    keys = {key.removeprefix(prefix) for key in given if key.startswith(prefix)}
    settings = {key: _value(config.get(key)) for key in sorted(keys)}
    return Environment.parse(stack, settings, source)


def _value(text: str | None) -> Any:
    """Return a setting; Pulumi passes objects and lists as JSON."""
    return json.loads(text) if text and text[0] in "{[" else text
