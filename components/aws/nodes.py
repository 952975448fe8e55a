"""The nodes of a cluster on AWS.

Nodes("slipway-prod", NodesArgs(cluster=cluster.name, version="1.35", pools=settings.pools, subnets=…, …),
      ResourceOptions(providers=[aws]))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from components.aws import roles
from slipway.settings.aws import POOL_LABEL, NodePool

if TYPE_CHECKING:
    from pulumi_aws import ec2, eks

#: As they are called in EKS and in a pod's toleration.
EFFECTS = {"NoSchedule": "NO_SCHEDULE", "PreferNoSchedule": "PREFER_NO_SCHEDULE", "NoExecute": "NO_EXECUTE"}


@dataclass(frozen=True, kw_only=True, eq=False)
class NodesArgs:
    """Arguments of `Nodes`.

    Args:
        cluster: Name of the cluster.
        version: Kubernetes version of the control plane.
        subnets: Private subnets.
        tags: Tags of machines and disks, which a provider's default tags do not reach.
        after: Resources that a machine needs to become Ready; children do not inherit a component's dependencies.
    """

    cluster: pulumi.Input[str]
    version: str
    pools: Mapping[str, NodePool]
    subnets: Sequence[pulumi.Input[str]]
    tags: Mapping[str, str]
    after: Sequence[pulumi.Resource] = ()


class Nodes(pulumi.ComponentResource):
    """Node groups that EKS starts, replaces and updates.

    Outputs:
        groups: One for each pool.
    """

    groups: list[pulumi.Resource]

    def __init__(self, name: str, args: NodesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        from pulumi_aws import ec2, eks

        super().__init__("slipway:aws:Nodes", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        # What the CNI may do is the CNI's own role, not every pod's on the node.
        needed = ["AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodePolicy"]
        role = roles.service_role(f"{name}-nodes", "ec2.amazonaws.com", needed, own)
        self.groups = []
        for pool, settings in args.pools.items():
            label = f"{name}-{pool}"
            template = ec2.LaunchTemplate(label, template_args(settings, {**args.tags, "Name": label}), own)
            group = eks.NodeGroupArgs(
                cluster_name=args.cluster,
                version=args.version,
                node_role_arn=role.arn,
                subnet_ids=args.subnets,
                instance_types=settings.instance_types,
                capacity_type="SPOT" if settings.capacity == "spot" else "ON_DEMAND",
                ami_type="AL2023_x86_64_NVIDIA" if settings.gpu else "AL2023_x86_64_STANDARD",
                labels={POOL_LABEL: pool},
                taints=[_taint(text) for text in settings.taints],
                launch_template=eks.NodeGroupLaunchTemplateArgs(
                    id=template.id, version=template.latest_version.apply(str)
                ),
                scaling_config=eks.NodeGroupScalingConfigArgs(
                    min_size=settings.minimum, max_size=settings.maximum, desired_size=settings.minimum
                ),
                update_config=eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
                node_repair_config=eks.NodeGroupNodeRepairConfigArgs(enabled=True),
            )
            options = pulumi.ResourceOptions(
                parent=self,
                depends_on=[*role.attached, *args.after],
                # The autoscaler's field, after the first time.
                ignore_changes=["scalingConfig.desiredSize"],
            )
            self.groups.append(eks.NodeGroup(label, group, options))
        self.register_outputs({})


def template_args(pool: NodePool, tags: Mapping[str, str]) -> ec2.LaunchTemplateArgs:
    """Return the launch template of a pool."""
    from pulumi_aws import ec2

    disk = ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
        volume_size=pool.disk_gb, volume_type="gp3", encrypted="true", delete_on_termination="true"
    )
    return ec2.LaunchTemplateArgs(
        block_device_mappings=[ec2.LaunchTemplateBlockDeviceMappingArgs(device_name="/dev/xvda", ebs=disk)],
        # One hop: the node's own role is out of its pods' reach.
        metadata_options=ec2.LaunchTemplateMetadataOptionsArgs(
            http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
        ),
        tag_specifications=[
            ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=tags) for kind in ("instance", "volume")
        ],
        update_default_version=True,
    )


def _taint(text: str) -> eks.NodeGroupTaintArgs:
    from pulumi_aws import eks

    key, _, rest = text.partition("=")
    value, _, effect = rest.partition(":")
    return eks.NodeGroupTaintArgs(key=key, value=value, effect=EFFECTS[effect])
