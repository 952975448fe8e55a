"""The ground of an environment: how its cluster is reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from slipway.platform.context import Database


@dataclass(frozen=True, kw_only=True, eq=False)
class Ground:
    """The way to the cluster.

    Args:
        kubeconfig: A file, or the content of one.
        ready: What everything in the cluster waits for.
        databases: Those outside of the cluster, by the name of the system that each belongs to.
    """

    kubeconfig: pulumi.Input[str]
    ready: Sequence[pulumi.Resource] = ()
    databases: Mapping[str, Database] = field(default_factory=dict)
