"""What an environment's cluster stands on: nothing of ours, unless the stack makes the cluster itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from slipway.aws import access, account
from slipway.settings.environment import Environment
from stacks import aws
from stacks.ground import Ground

#: A cluster that there is not: without a kubeconfig the plugin would look for an ambient one.
NO_CLUSTER = '{"apiVersion": "v1", "kind": "Config", "clusters": [], "contexts": [], "users": []}'


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
        found = access.config(environment)
        return lambda: Ground(kubeconfig=found)
    account.check(environment)
    return lambda: aws.declare(environment)
