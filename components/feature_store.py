"""Feast in an environment's cluster.

FeatureStore("prod", SystemArgs(objects=compile_feature_store(settings, context)), options)

On EKS its registry is a file in the bucket `features`, its online store DynamoDB, both by the role of its service
account; elsewhere both are files on a volume.
"""

from __future__ import annotations

from typing import Any

from components import tokens
from components.system import Objects, System
from slipway.platform.feature_store import NAME, NAMESPACE, PORT


class FeatureStore(System):
    """The server of features; models with training may ask it, nobody else.

    Outputs:
        url: Where it answers within the cluster.
    """

    TOKEN = tokens.FEATURE_STORE

    @staticmethod
    def describe(objects: Objects) -> dict[str, Any]:
        return {"url": f"http://{NAME}.{NAMESPACE}:{PORT}"}
