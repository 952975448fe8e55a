"""AWS permissions of service accounts.

Pods get credentials by EKS Pod Identity, so no manifest or Secret contains any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slipway.aws import names
from slipway.aws.policies import Statement, allow, read_bucket, write_bucket
from slipway.names import TRAINER
from slipway.settings.environment import Environment

MANAGED = "arn:aws:iam::aws:policy/"


@dataclass(frozen=True)
class Identity:
    """Role of one service account, named below the environment's prefix, with AWS's managed policies."""

    name: str
    namespace: str
    service_account: str
    statements: tuple[Statement, ...] = ()
    managed: tuple[str, ...] = ()


def identities(environment: Environment) -> tuple[Identity, ...]:
    """Return the identities of an environment's add-ons, models and systems."""
    return tuple(sorted(_identities(environment), key=lambda each: each.name))


def _identities(environment: Environment) -> Iterator[Identity]:
    settings, prefix = names.eks(environment), names.prefix(environment)
    region = f"{settings.region}:{settings.account}"
    yield Identity("cni", "kube-system", "aws-node", managed=(f"{MANAGED}AmazonEKS_CNI_Policy",))
    yield Identity(
        "disks", "kube-system", "ebs-csi-controller-sa", managed=(f"{MANAGED}service-role/AmazonEBSCSIDriverPolicy",)
    )
    installed = environment.platform
    artifacts = [names.bucket(environment, "mlflow")] if installed.mlflow else []
    read = [statement for bucket in (*artifacts, *settings.artifact_buckets) for statement in read_bucket(bucket)]
    written = [statement for bucket in artifacts for statement in write_bucket(bucket)]
    if read:
        yield Identity("models", environment.namespace, environment.service_account, tuple(read))
    if installed.network and written:
        yield Identity("training", installed.network.training_namespace, TRAINER, tuple(written))
    if installed.mlflow:
        yield Identity("mlflow", "mlflow", "mlflow", tuple(written))
    if installed.capacity:
        yield Identity("autoscaler", "kube-system", "cluster-autoscaler", _autoscaler(prefix))
    if installed.secrets:
        # RDS names a database's secret itself; a tag holds the database's ARN.
        own = f"arn:aws:secretsmanager:{region}:secret:{names.secrets(environment)}*"
        databases = f"arn:aws:secretsmanager:{region}:secret:rds!db-*"
        ask = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
        ours = {"secretsmanager:ResourceTag/aws:rds:primaryDBInstanceArn": f"arn:aws:rds:{region}:db:{prefix}-*"}
        yield Identity(
            "secrets",
            "external-secrets",
            "external-secrets",
            (allow(ask, [own]), allow(ask, [databases], StringLike=ours)),
        )
    if installed.backup:
        yield Identity(
            "backup", "velero", "velero", (*write_bucket(names.bucket(environment, "backup")), *_snapshots())
        )
    if installed.feature_store:
        tables = f"arn:aws:dynamodb:{region}:table/slipway_{environment.name}.*"
        actions = (
            "BatchGetItem",
            "BatchWriteItem",
            "CreateTable",
            "DeleteTable",
            "DescribeTable",
            "GetItem",
            "ListTagsOfResource",
        )
        may = allow([f"dynamodb:{action}" for action in (*actions, "PutItem", "Query", "UpdateItem")], [tables])
        bucket = write_bucket(names.bucket(environment, "features"))
        yield Identity("feature-store", "feature-store", "feature-store", (*bucket, may))


def _autoscaler(cluster: str) -> tuple[Statement, ...]:
    """Allow resizing the node groups of one cluster (cluster-autoscaler: cloudprovider/aws/README.md)."""
    owned = {f"aws:ResourceTag/k8s.io/cluster-autoscaler/{cluster}": "owned"}
    look = ["autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances"]
    look += ["autoscaling:DescribeLaunchConfigurations", "autoscaling:DescribeScalingActivities"]
    look += ["ec2:DescribeImages", "ec2:DescribeInstanceTypes", "ec2:DescribeLaunchTemplateVersions"]
    look += ["ec2:GetInstanceTypesFromInstanceRequirements", "eks:DescribeNodegroup"]
    act = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    return (allow(look, ["*"]), allow(act, ["arn:aws:autoscaling:*:*:autoScalingGroup:*"], StringEquals=owned))


def _snapshots() -> tuple[Statement, ...]:
    """Allow volume snapshots, and deletion of Velero's own only (velero-plugin-for-aws: README.md)."""
    volumes = ["arn:aws:ec2:*:*:volume/*", "arn:aws:ec2:*::snapshot/*"]
    made = {"ec2:ResourceTag/velero.io/backup": "*"}
    return (
        allow(["ec2:DescribeSnapshots", "ec2:DescribeVolumes"], ["*"]),
        allow(["ec2:CreateSnapshot", "ec2:CreateTags", "ec2:CreateVolume"], volumes),
        allow(["ec2:DeleteSnapshot"], ["arn:aws:ec2:*::snapshot/*"], StringLike=made),
    )
