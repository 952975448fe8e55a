"""Component for the image repositories of an environment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from pulumi_aws import ecr

#: Layers that no tag and no digest of ours holds: what an interrupted push has left. What is tagged is never expired,
#: since a pinned release may name it.
UNTAGGED_DAYS = 30


@dataclass(frozen=True, kw_only=True, eq=False)
class ImagesArgs:
    """Arguments of `Images`: the repositories' prefix and names, their encryption key, regions that get copies."""

    prefix: str
    repositories: Sequence[str]
    account: str
    key_arn: pulumi.Input[str]
    replicate_to: Sequence[str] = ()


class Images(pulumi.ComponentResource):
    """Repositories with immutable tags, whose images are scanned when pushed.

    Outputs:
        urls: By repository name.
    """

    urls: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: ImagesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        from pulumi_aws import ecr

        super().__init__("slipway:aws:Images", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        self.urls = {}
        for title in sorted(args.repositories):
            repository = ecr.Repository(
                f"{args.prefix}/{title}",
                ecr.RepositoryArgs(
                    name=f"{args.prefix}/{title}",
                    image_tag_mutability="IMMUTABLE",
                    image_scanning_configuration=ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
                    encryption_configurations=[
                        ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=args.key_arn)
                    ],
                ),
                own,
            )
            expire = ecr.LifecyclePolicyArgs(repository=repository.name, policy=lifecycle(UNTAGGED_DAYS))
            ecr.LifecyclePolicy(f"{args.prefix}/{title}", expire, own)
            self.urls[title] = repository.repository_url
        if args.replicate_to:
            ecr.ReplicationConfiguration(name, replication(args), own)
        self.register_outputs({"urls": self.urls})


def lifecycle(days: int) -> str:
    """Expire what has no tag; an image that only a digest names has one too, so it is tagged when it is pushed."""
    selection = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days}
    rule = {"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}
    return json.dumps({"rules": [rule]}, sort_keys=True)


def replication(args: ImagesArgs) -> ecr.ReplicationConfigurationArgs:
    """Copy what is pushed below the prefix, with its digest, to other regions."""
    from pulumi_aws import ecr

    destinations = [
        ecr.ReplicationConfigurationReplicationConfigurationRuleDestinationArgs(region=region, registry_id=args.account)
        for region in args.replicate_to
    ]
    matching = ecr.ReplicationConfigurationReplicationConfigurationRuleRepositoryFilterArgs(
        filter=f"{args.prefix}/", filter_type="PREFIX_MATCH"
    )
    rule = ecr.ReplicationConfigurationReplicationConfigurationRuleArgs(
        destinations=destinations, repository_filters=[matching]
    )
    return ecr.ReplicationConfigurationArgs(
        replication_configuration=ecr.ReplicationConfigurationReplicationConfigurationArgs(rules=[rule])
    )
