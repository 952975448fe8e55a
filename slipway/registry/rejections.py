"""Versions that an environment has rejected, as tags of the registry.

An environment that follows an alias has no pins to write a rejection into. A tag comes along with the list of
versions, which is read anyway.
"""

from __future__ import annotations

from slipway.registry.connection import Connection


def rejection_tag(environment: str) -> str:
    """Name the tag by which an environment marks a version that it never takes again."""
    return f"slipway.rejected.{environment}"


def reject_version(uri: str | None, registered_model: str, environment: str, version: int, reason: str) -> bool:
    """Mark a version as rejected; returns whether it was news: the first reason stays.

    Raises:
        SlipwayError: The registry cannot be reached, or has no such version.
    """
    connection, tag = Connection(uri), rejection_tag(environment)
    known = next((v for v in connection.versions() if (v.name, v.version) == (registered_model, version)), None)
    if known is not None and tag in known.tags:
        return False
    connection.set_version_tag(registered_model, version, tag, reason)
    return True
