"""Access to an environment's cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from slipway.platform.context import Database


@dataclass(frozen=True, kw_only=True, eq=False)
class Ground:
    """Access to the cluster: a kubeconfig file or its content, dependencies of all objects, databases by system."""

    kubeconfig: pulumi.Input[str]
    ready: Sequence[pulumi.Resource] = ()
    databases: Mapping[str, Database] = field(default_factory=dict)
