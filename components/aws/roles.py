"""Roles: what a service or a pod may do on AWS.

PodRole("slipway-prod-models", PodRoleArgs(identity=identity, account="123456789012", cluster=cluster.name,
        cluster_arn=names.cluster_arn(environment)), ResourceOptions(providers=[aws]))
"""

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
    """A role of a service of AWS.

    Args:
        arn: The role.
        attached: What the service has to wait for, so that the role can already do what it must.
    """

    arn: pulumi.Output[str]
    attached: tuple[pulumi.Resource, ...]


def service_role(name: str, service: str, managed: Sequence[str], options: pulumi.ResourceOptions) -> ServiceRole:
    """Declare a role of a service, with AWS's own policies for it."""
    from pulumi_aws import iam

    trust = policies.trust(service, "sts:AssumeRole", "sts:TagSession")
    role = iam.Role(name, iam.RoleArgs(assume_role_policy=trust), options)
    return ServiceRole(
        arn=role.arn, attached=tuple(attach(name, role, MANAGED + policy, options) for policy in managed)
    )


def attach(name: str, role: iam.Role, policy: str, options: pulumi.ResourceOptions) -> pulumi.Resource:
    """Attach a policy that exists."""
    from pulumi_aws import iam

    args = iam.RolePolicyAttachmentArgs(role=role.name, policy_arn=policy)
    return iam.RolePolicyAttachment(f"{name}-{policy.rpartition('/')[2]}", args, options)


@dataclass(frozen=True, kw_only=True, eq=False)
class PodRoleArgs:
    """What `PodRole` takes.

    Args:
        identity: Whose it is, with what it may do.
        account: Number of the account.
        cluster: Name of the cluster.
        cluster_arn: The cluster; pods of another cannot take the role. Known before it is made, so that a preview shows
            who can.
    """

    identity: Identity
    account: str
    cluster: pulumi.Input[str]
    cluster_arn: str


class PodRole(pulumi.ComponentResource):
    """The role of one service account, by EKS Pod Identity.

    Outputs:
        association: What a pod that needs the role waits for.
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
