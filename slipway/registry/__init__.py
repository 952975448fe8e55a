"""Model registry: its versions frozen into releases."""

from slipway.registry.artifacts import hash_artifact, verify
from slipway.registry.client import Registry

__all__ = ["Registry", "hash_artifact", "verify"]
