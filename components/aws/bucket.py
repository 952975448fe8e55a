"""Component for a private, versioned bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from slipway.aws import policies

if TYPE_CHECKING:
    from pulumi_aws import s3


@dataclass(frozen=True, kw_only=True, eq=False)
class BucketArgs:
    """Arguments of `Bucket`.

    Args:
        keep_days: Days for which the object lock protects a version, so that a retired model can still be audited.
        protect: Whether Pulumi refuses to delete the bucket.
    """

    keep_days: int
    protect: bool


class Bucket(pulumi.ComponentResource):
    """Encrypted, versioned, object-locked, private bucket, reached by TLS only; its name is the component's."""

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        from pulumi_aws import s3

        super().__init__("slipway:aws:Bucket", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        bucket = s3.Bucket(
            name,
            s3.BucketArgs(bucket=name, object_lock_enabled=True),
            pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        versions = s3.BucketVersioning(
            name,
            s3.BucketVersioningInitArgs(
                bucket=bucket.id,
                versioning_configuration=s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            ),
            own,
        )
        retention = s3.BucketObjectLockConfigurationRuleDefaultRetentionArgs(mode="GOVERNANCE", days=args.keep_days)
        lock = s3.BucketObjectLockConfigurationRuleArgs(default_retention=retention)
        s3.BucketObjectLockConfiguration(
            name,
            s3.BucketObjectLockConfigurationInitArgs(bucket=bucket.id, rule=lock),
            pulumi.ResourceOptions(parent=self, depends_on=[versions]),
        )
        by_default = s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
            sse_algorithm="AES256"
        )
        s3.BucketServerSideEncryptionConfiguration(
            name,
            s3.BucketServerSideEncryptionConfigurationInitArgs(
                bucket=bucket.id,
                rules=[
                    s3.BucketServerSideEncryptionConfigurationRuleArgs(
                        apply_server_side_encryption_by_default=by_default
                    )
                ],
            ),
            own,
        )
        s3.BucketOwnershipControls(
            name,
            s3.BucketOwnershipControlsArgs(
                bucket=bucket.id, rule=s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced")
            ),
            own,
        )
        closed = s3.BucketPublicAccessBlock(
            name,
            s3.BucketPublicAccessBlockArgs(
                bucket=bucket.id,
                block_public_acls=True,
                block_public_policy=True,
                ignore_public_acls=True,
                restrict_public_buckets=True,
            ),
            own,
        )
        # S3 refuses two changes of a bucket's access at once.
        policy = s3.BucketPolicyArgs(bucket=bucket.id, policy=policies.only_tls(f"arn:aws:s3:::{name}"))
        s3.BucketPolicy(name, policy, pulumi.ResourceOptions(parent=self, depends_on=[closed]))
        s3.BucketLifecycleConfiguration(name, _lifecycle(bucket, args.keep_days), own)
        self.arn = bucket.arn
        self.register_outputs({"arn": self.arn})


def _lifecycle(bucket: s3.Bucket, keep_days: int) -> s3.BucketLifecycleConfigurationArgs:
    """Expire noncurrent versions once their lock ends, and the parts of interrupted uploads."""
    from pulumi_aws import s3

    rule = s3.BucketLifecycleConfigurationRuleArgs(
        id="forget",
        status="Enabled",
        filter=s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
        abort_incomplete_multipart_upload=s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
            days_after_initiation=7
        ),
        noncurrent_version_expiration=s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
            noncurrent_days=keep_days
        ),
    )
    return s3.BucketLifecycleConfigurationArgs(bucket=bucket.id, rules=[rule])
