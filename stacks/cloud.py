"""What an environment's cluster stands on: nothing of ours, unless the stack makes the cluster itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi

from slipway.environment import Environment

#: A cluster that there is not: without a kubeconfig the plugin would look for an ambient one.
NO_CLUSTER = '{"apiVersion": "v1", "kind": "Config", "clusters": [], "contexts": [], "users": []}'


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


def prepare(environment: Environment) -> Callable[[], Ground]:
    """Refuse now what AWS would refuse later.

    Returns:
        What declares the ground.

    Raises:
        SlipwayError: There are no credentials, they are of another account, or it has no room.
    """
    if environment.cluster.eks is None:
        file = environment.cluster.kubeconfig
        return lambda: Ground(kubeconfig=NO_CLUSTER if file is None else str(Path(file).expanduser()))
    if "platform" not in environment.layers:
        from slipway.aws import access

        found = access.config(environment)
        return lambda: Ground(kubeconfig=found)
    from slipway.aws import account

    account.check(environment)

    def declare() -> Ground:
        from stacks import aws

        return aws.declare(environment)

    return declare
