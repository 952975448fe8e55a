"""Moves of an alias in the registry."""

from __future__ import annotations

from slipway.errors import SlipwayError
from slipway.registry.connection import Connection


def move_alias(tracking_uri: str | None, registered_model: str, alias: str, version: int) -> int | None:
    """Point an alias at a version; return the version that it named before.

    Raises:
        SlipwayError: The model or version does not exist, the registry reserves the alias, or cannot be reached.
    """
    connection = Connection(tracking_uri)
    known = sorted(each.version for each in connection.versions() if each.name == registered_model)
    if version not in known:
        has = f"it has {', '.join(map(str, known[-5:]))}" if known else "it has none"
        raise SlipwayError(f"registered model {registered_model!r} has no version {version}; {has}")
    before = connection.aliases().get(registered_model, {}).get(alias)
    if before != version:
        connection.set_alias(registered_model, alias, version)
    return before
