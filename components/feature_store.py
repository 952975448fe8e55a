"""Feast in an environment's cluster.

FeatureStore("prod", FeatureStoreArgs(objects=compile_feature_store(settings, context)), options)

On EKS its registry is a file in the bucket `features`, its online store DynamoDB, both by the role of its service
account; elsewhere both are files on a volume.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import install
from slipway.platform.feature_store import NAME, NAMESPACE, PORT


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureStoreArgs:
    """What `FeatureStore` takes.

    Args:
        objects: Compiled by `slipway.platform.feature_store`.
    """

    objects: tuple[Mapping[str, Any], ...]


class FeatureStore(pulumi.ComponentResource):
    """The server of features; models with training may ask it, nobody else.

    Outputs:
        url: Where it answers within the cluster.
    """

    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: FeatureStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.FEATURE_STORE, name, None, opts)
        install(self, args.objects)
        self.outputs = {"url": f"http://{NAME}.{NAMESPACE}:{PORT}"}
        self.register_outputs(self.outputs)
