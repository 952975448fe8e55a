"""Access to the environment's cluster, which the stack creates on AWS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from slipway.aws import access, account
from slipway.settings.environment import Environment
from stacks import aws
from stacks.ground import Ground

#: A kubeconfig without clusters: given none, the plugin would use an ambient one.
NO_CLUSTER = '{"apiVersion": "v1", "kind": "Config", "clusters": [], "contexts": [], "users": []}'


def prepare(environment: Environment) -> Callable[[], Ground]:
    """Check the AWS account.

    Returns:
        Function that declares the ground.

    Raises:
        SlipwayError: There are no credentials, they are of another account, or its quotas are too small.
    """
    if environment.cluster.eks is None:
        file = environment.cluster.kubeconfig
        return lambda: Ground(kubeconfig=NO_CLUSTER if file is None else str(Path(file).expanduser()))
    if "platform" not in environment.layers:
        found = access.config(environment)
        return lambda: Ground(kubeconfig=found)
    account.check(environment)
    return lambda: aws.declare(environment)
