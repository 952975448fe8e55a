"""IAM roles of services and pods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from slipway.aws import policies
from slipway.aws.identities import MANAGED, Identity

if TYPE_CHECKING:
    from pulumi_aws import iam


@dataclass(frozen=True, kw_only=True, eq=False)
class ServiceRole:
    """Role of an AWS service.

    Args:
        attached: Policies that the service waits for before it uses the role.
    """

    arn: pulumi.Output[str]
    attached: tuple[pulumi.Resource, ...]


def service_role(name: str, service: str, managed: Sequence[str], options: pulumi.ResourceOptions) -> ServiceRole:
    """Declare the role of a service with AWS's managed policies."""
    from pulumi_aws import iam

    trust = policies.trust(service, "sts:AssumeRole", "sts:TagSession")
    role = iam.Role(name, iam.RoleArgs(assume_role_policy=trust), options)
    return ServiceRole(
        arn=role.arn, attached=tuple(attach(name, role, MANAGED + policy, options) for policy in managed)
    )


def attach(name: str, role: iam.Role, policy: str, options: pulumi.ResourceOptions) -> pulumi.Resource:
    """Attach a managed policy to a role."""
    from pulumi_aws import iam

    args = iam.RolePolicyAttachmentArgs(role=role.name, policy_arn=policy)
    return iam.RolePolicyAttachment(f"{name}-{policy.rpartition('/')[2]}", args, options)


@dataclass(frozen=True, kw_only=True, eq=False)
class PodRoleArgs:
    """Arguments of `PodRole`.

    Args:
        cluster: Name of the cluster.
        cluster_arn: The only cluster whose pods may assume the role. Known before the cluster exists, so a preview
            shows it.
    """

    identity: Identity
    account: str
    cluster: pulumi.Input[str]
    cluster_arn: str


class PodRole(pulumi.ComponentResource):
    """Role of one service account, through EKS Pod Identity.

    Outputs:
        association: The association that pods with the role wait for.
    """

    association: pulumi.Resource

    def __init__(self, name: str, args: PodRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        from pulumi_aws import eks, iam

        super().__init__("slipway:aws:PodRole", name, None, opts)
        own, identity = pulumi.ResourceOptions(parent=self), args.identity
        trust = policies.trust_pods(args.account, args.cluster_arn)
        role = iam.Role(name, iam.RoleArgs(assume_role_policy=trust), own)
        if identity.statements:
            policy = policies.document(identity.statements)
            iam.RolePolicy(name, iam.RolePolicyArgs(role=role.id, policy=policy), own)
        for policy in identity.managed:
            attach(name, role, policy, own)
        association = eks.PodIdentityAssociationArgs(
            cluster_name=args.cluster,
            namespace=identity.namespace,
            service_account=identity.service_account,
            role_arn=role.arn,
        )
        self.association = eks.PodIdentityAssociation(name, association, own)
        self.register_outputs({})
