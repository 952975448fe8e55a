"""The only reader of Pulumi's configuration."""

from __future__ import annotations

import json
from typing import Any

import pulumi
from pulumi.runtime import get_config_env
from pulumi.runtime.config import is_config_secret

from slipway.settings.environment import Environment
from slipway.settings.stack_file import refuse_namespaces, refuse_secrets


def read() -> Environment:
    """Read the settings of the stack that is running.

    Raises:
        SlipwayError: A setting is missing, unknown or wrong.
    """
    project, stack = pulumi.get_project(), pulumi.get_stack()
    config, prefix, source = pulumi.Config(), f"{project}:", f"Pulumi.{stack}.yaml"
    # Config can only be asked for keys that are known; an unknown one must be refused, so all are listed first.
    given = get_config_env()
    refuse_namespaces(given, source)
    refuse_secrets(filter(is_config_secret, given), source)
    keys = {key.removeprefix(prefix) for key in given if key.startswith(prefix)}
    settings = {key: _value(config.get(key)) for key in sorted(keys)}
    return Environment.parse(stack, settings, source)


def _value(text: str | None) -> Any:
    """Read an object or a list, which Pulumi hands over as JSON."""
    return json.loads(text) if text and text[0] in "{[" else text
