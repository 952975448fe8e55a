"""A bucket of the lab's object store."""

from __future__ import annotations


def make_bucket(name: str, **client: str | None) -> None:
    """Make a bucket unless it is there.

    Args:
        name: The bucket's.
        client: What boto3's client takes besides what the environment says.
    """
    import boto3
    from botocore.exceptions import ClientError

    try:
        boto3.client("s3", **client).create_bucket(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise
