"""The ground of an environment: how its cluster is reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi


@dataclass(frozen=True, kw_only=True, eq=False)
class Ground:
    """The way to the cluster.

    Args:
        kubeconfig: A file, or the content of one.
        ready: What everything in the cluster waits for.
        stores: What components keep outside of the cluster, by the component's name.
    """

    kubeconfig: pulumi.Input[str]
    ready: Sequence[pulumi.Resource] = ()
    stores: Mapping[str, Any] = field(default_factory=dict)

    def told(self, component: str) -> tuple[Any, ...]:
        """Return what a component is told besides its options: its store, if it keeps something out there."""
        return (self.stores[component],) if component in self.stores else ()
