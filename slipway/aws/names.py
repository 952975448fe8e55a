"""Names of AWS resources, known before the resources exist."""

from __future__ import annotations

from typing import Literal

from slipway.errors import SlipwayError
from slipway.settings.aws import EksSettings
from slipway.settings.environment import Environment

Purpose = Literal["mlflow", "backup", "features"]

#: Characters of a bucket's name, by S3's rules.
LONGEST_BUCKET = 63


def prefix(environment: Environment) -> str:
    """Return the prefix of an environment's names, which is also the cluster's name.

    Stacks on another stack's platform use that stack's names.
    """
    return f"slipway-{environment.platform_stack or environment.name}"


def bucket(environment: Environment, purpose: Purpose) -> str:
    """Return the name of a bucket; account and region make it globally unique.

    Raises:
        SlipwayError: The environment has no cluster on AWS, or the name would be too long.
    """
    settings = eks(environment)
    name = f"{prefix(environment)}-{purpose}-{settings.account}-{settings.region}"
    if len(name) > LONGEST_BUCKET:
        raise SlipwayError(
            f"bucket {name}: {len(name)} characters, S3 takes {LONGEST_BUCKET}; choose a shorter name for the stack"
        )
    return name


def cluster_arn(environment: Environment) -> str:
    """Return the ARN of the environment's cluster."""
    settings = eks(environment)
    return f"arn:aws:eks:{settings.region}:{settings.account}:cluster/{prefix(environment)}"


def secrets(environment: Environment) -> str:
    """Return the path of an environment's secrets in Secrets Manager."""
    return f"slipway/{environment.name}/"


def eks(environment: Environment) -> EksSettings:
    """Return the settings of the environment's cluster on AWS.

    Raises:
        SlipwayError: It has none.
    """
    if environment.cluster.eks is None:
        raise SlipwayError(f"Pulumi.{environment.name}.yaml: slipway:cluster.eks: missing; expected a mapping")
    return environment.cluster.eks
