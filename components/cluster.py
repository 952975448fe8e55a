"""Component for an EKS cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from components.aws import roles
from slipway.aws.kubeconfig import kubeconfig
from slipway.settings.aws import EksSettings

if TYPE_CHECKING:
    from pulumi_aws import eks

#: All that EKS can log of its control plane.
LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")
ACCESS = "arn:aws:eks::aws:cluster-access-policy/"
#: The first reads no Secrets, which AmazonEKSAdminViewPolicy does (EKS user guide, "Access policy permissions").
VIEWER, ADMIN = f"{ACCESS}AmazonEKSViewPolicy", f"{ACCESS}AmazonEKSClusterAdminPolicy"


@dataclass(frozen=True, kw_only=True, eq=False)
class ClusterArgs:
    """Arguments of `Cluster`: private subnets in two zones or more; if `protect`, AWS refuses to delete it too."""

    settings: EksSettings
    subnets: Sequence[pulumi.Input[str]]
    protect: bool


class Cluster(pulumi.ComponentResource):
    """EKS control plane and its access entries.

    Secrets are encrypted by a key of the environment; the API has no public address unless the settings name its
    clients.

    Outputs:
        kubeconfig: For clients with the AWS CLI, Pulumi's plugin included. It holds no secret.
        security_group: Of the nodes; what they connect to must admit it.
        key_arn: The key of its Secrets.
        admitted: Access entries that a client of the API waits for.
    """

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    security_group: pulumi.Output[str]
    key_arn: pulumi.Output[str]
    admitted: list[pulumi.Resource]

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        from pulumi_aws import cloudwatch, eks, kms

        super().__init__("slipway:aws:Cluster", name, None, opts)
        own, settings = pulumi.ResourceOptions(parent=self), args.settings
        key = kms.Key(
            name,
            kms.KeyArgs(description=f"Secrets of {name}", enable_key_rotation=True, deletion_window_in_days=30),
            own,
        )
        kms.Alias(name, kms.AliasArgs(name=f"alias/{name}", target_key_id=key.key_id), own)
        role = roles.service_role(f"{name}-cluster", "eks.amazonaws.com", ["AmazonEKSClusterPolicy"], own)
        # EKS would create the group itself, without an expiry.
        logs = cloudwatch.LogGroup(
            name, cloudwatch.LogGroupArgs(name=f"/aws/eks/{name}/cluster", retention_in_days=settings.log_days), own
        )
        cluster = eks.Cluster(
            name,
            eks.ClusterArgs(
                name=name,
                version=settings.version,
                role_arn=role.arn,
                access_config=eks.ClusterAccessConfigArgs(
                    authentication_mode="API", bootstrap_cluster_creator_admin_permissions=False
                ),
                # Add-ons that EKS installs by itself can be neither configured nor updated.
                bootstrap_self_managed_addons=False,
                deletion_protection=args.protect,
                enabled_cluster_log_types=LOGS,
                encryption_config=eks.ClusterEncryptionConfigArgs(
                    provider=eks.ClusterEncryptionConfigProviderArgs(key_arn=key.arn), resources=["secrets"]
                ),
                upgrade_policy=eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
                vpc_config=eks.ClusterVpcConfigArgs(
                    subnet_ids=args.subnets,
                    endpoint_private_access=True,
                    endpoint_public_access=bool(settings.public_access),
                    public_access_cidrs=settings.public_access or None,
                ),
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[logs, *role.attached], protect=args.protect),
        )
        self.admitted = [
            _admit(f"{name}-{title}-{arn.rpartition('/')[2]}", cluster, arn, policy, own)
            for title, principals, policy in (("admin", settings.admins, ADMIN), ("viewer", settings.viewers, VIEWER))
            for arn in principals
        ]
        self.name, self.arn, self.key_arn = cluster.name, cluster.arn, key.arn
        self.security_group = cluster.vpc_config.apply(lambda config: config.cluster_security_group_id or "")
        authority = cluster.certificate_authority.apply(lambda found: found.data or "")
        self.kubeconfig = pulumi.Output.all(cluster.endpoint, authority).apply(
            lambda found: kubeconfig(name, settings.region, found[0], found[1])
        )
        self.register_outputs({"name": self.name, "arn": self.arn, "kubeconfig": self.kubeconfig})


def _admit(
    name: str, cluster: eks.Cluster, principal: str, policy: str, options: pulumi.ResourceOptions
) -> pulumi.Resource:
    from pulumi_aws import eks

    entry = eks.AccessEntry(name, eks.AccessEntryArgs(cluster_name=cluster.name, principal_arn=principal), options)
    association = eks.AccessPolicyAssociationArgs(
        cluster_name=cluster.name,
        principal_arn=entry.principal_arn,
        policy_arn=policy,
        access_scope=eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
    )
    return eks.AccessPolicyAssociation(name, association, options)
