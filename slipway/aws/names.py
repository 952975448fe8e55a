"""How things are called on AWS: known before they exist, so that manifests can name them."""

from __future__ import annotations

from typing import Literal

from slipway.errors import SlipwayError
from slipway.settings.aws import EksSettings
from slipway.settings.environment import Environment

Purpose = Literal["mlflow", "backup", "features"]

#: Of a bucket's name, by S3's rules.
LONGEST_BUCKET = 63


def prefix(environment: Environment) -> str:
    """Return what every name of an environment begins with; the cluster has just this name.

    Stacks that stand on another one's platform name what that one has made.
    """
    return f"slipway-{environment.platform_stack or environment.name}"


def bucket(environment: Environment, purpose: Purpose) -> str:
    """Name a bucket; the account makes it unique in the world, the region within an environment that has two.

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
    """Return the ARN that the environment's cluster will have."""
    settings = eks(environment)
    return f"arn:aws:eks:{settings.region}:{settings.account}:cluster/{prefix(environment)}"


def secrets(environment: Environment) -> str:
    """Return the path in Secrets Manager below which an environment's secrets are."""
    return f"slipway/{environment.name}/"


def eks(environment: Environment) -> EksSettings:
    """Return the settings of the environment's cluster on AWS.

    Raises:
        SlipwayError: It has none.
    """
    if environment.cluster.eks is None:
        raise SlipwayError(f"Pulumi.{environment.name}.yaml: slipway:cluster.eks: missing; expected a mapping")
    return environment.cluster.eks
