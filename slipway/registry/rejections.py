"""Rejections of versions by an environment, as tags in the registry.

An environment that follows an alias has no pins to hold a rejection. The list of versions, which is read anyway,
includes the tags.
"""

from __future__ import annotations

from slipway.registry.connection import Connection


def rejection_tag(environment: str) -> str:
    """Return the name of the tag by which an environment marks a rejected version."""
    return f"slipway.rejected.{environment}"


def reject_version(uri: str | None, registered_model: str, environment: str, version: int, reason: str) -> bool:
    """Mark a version as rejected; return False if it already was, since the first reason stays.

    Raises:
        SlipwayError: The registry cannot be reached, or the version does not exist.
    """
    connection, tag = Connection(uri), rejection_tag(environment)
    known = next((v for v in connection.versions() if (v.name, v.version) == (registered_model, version)), None)
    if known is not None and tag in known.tags:
        return False
    connection.set_version_tag(registered_model, version, tag, reason)
    return True
