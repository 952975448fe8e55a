"""Buckets of the lab's object store."""

from __future__ import annotations


def make_bucket(name: str, **client: str | None) -> None:
    """Make a bucket unless it exists.

    Args:
        client: Arguments of boto3's client besides the environment's settings.
    """
    import boto3
    from botocore.exceptions import ClientError

    try:
        boto3.client("s3", **client).create_bucket(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise
