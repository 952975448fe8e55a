"""IAM documents as plain data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

Statement = Mapping[str, Any]
VERSION = "2012-10-17"


def document(statements: Iterable[Statement]) -> str:
    """Return a policy; equal statements give equal bytes."""
    return json.dumps({"Version": VERSION, "Statement": list(statements)}, sort_keys=True)


def allow(actions: Iterable[str], resources: Iterable[str], **conditions: Mapping[str, Any]) -> Statement:
    """Return a statement that allows actions; conditions are named as in IAM: `StringEquals={…}`."""
    statement = {"Effect": "Allow", "Action": sorted(actions), "Resource": sorted(resources)}
    return {**statement, "Condition": conditions} if conditions else statement


def trust(service: str, *actions: str) -> str:
    """Return a policy that lets an AWS service assume a role."""
    allowed = list(actions) or ["sts:AssumeRole"]
    return document([{"Effect": "Allow", "Principal": {"Service": service}, "Action": allowed}])


def trust_pods(account: str, cluster_arn: str) -> str:
    """Return a policy that lets pods of one cluster assume a role, through EKS Pod Identity."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {"StringEquals": {"aws:SourceAccount": account}, "ArnEquals": {"aws:SourceArn": cluster_arn}},
    }
    return document([statement])


def read_bucket(bucket: str) -> tuple[Statement, ...]:
    """Return statements that allow reading a bucket."""
    return (
        allow(["s3:GetBucketLocation", "s3:ListBucket"], [f"arn:aws:s3:::{bucket}"]),
        allow(["s3:GetObject"], [f"arn:aws:s3:::{bucket}/*"]),
    )


def write_bucket(bucket: str) -> tuple[Statement, ...]:
    """Return statements that allow writing a bucket; versions of deleted objects stay."""
    actions = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
    return (*read_bucket(bucket), allow(actions, [f"arn:aws:s3:::{bucket}/*"]))


def only_tls(bucket_arn: str) -> str:
    """Return a policy that refuses requests in plain text."""
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return document([statement])
