"""Component for an environment's VPC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pulumi

from slipway.aws import policies
from slipway.aws.network import Zone

if TYPE_CHECKING:
    from pulumi_aws import ec2


@dataclass(frozen=True, kw_only=True, eq=False)
class VpcArgs:
    """Arguments of `Vpc`.

    Args:
        network: CIDR of the VPC.
        zones: Its parts, from `slipway.aws.network.divide`.
        nat: One NAT gateway for each zone, or one for all.
        log_days: Days that flow logs are kept.
        cluster: Name of the cluster whose load balancers may be placed here.
    """

    network: str
    zones: Sequence[Zone]
    nat: Literal["each-zone", "one"]
    log_days: int
    cluster: str


class Vpc(pulumi.ComponentResource):
    """VPC whose nodes have private addresses only.

    Outputs:
        private_subnets: One for each zone, for nodes, pods and databases.
        ways_out: Resources that give nodes access to the internet; nodes depend on them.
    """

    vpc_id: pulumi.Output[str]
    private_subnets: list[pulumi.Output[str]]
    ways_out: list[pulumi.Resource]

    def __init__(self, name: str, args: VpcArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        from pulumi_aws import ec2

        super().__init__("slipway:aws:Vpc", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        vpc = ec2.Vpc(
            name,
            ec2.VpcArgs(
                cidr_block=args.network, enable_dns_hostnames=True, enable_dns_support=True, tags={"Name": name}
            ),
            own,
        )
        # A VPC's own group lets everything in that is in it; declared without rules, it has none.
        ec2.DefaultSecurityGroup(name, ec2.DefaultSecurityGroupArgs(vpc_id=vpc.id), own)
        _record_flows(name, vpc, args.log_days, own)
        internet = ec2.InternetGateway(name, ec2.InternetGatewayArgs(vpc_id=vpc.id, tags={"Name": name}), own)
        outside, way = _routes(f"{name}-public", vpc, own, gateway_id=internet.id)
        gateways: list[ec2.NatGateway] = []
        self.private_subnets, self.ways_out = [], []
        for zone in args.zones:
            public = _subnet(f"{name}-public-{zone.name}", vpc, zone, zone.public, "elb", args.cluster, own)
            routed = _associate(f"{name}-public-{zone.name}", public, outside, own)
            if not gateways or args.nat == "each-zone":
                address = ec2.Eip(f"{name}-{zone.name}", ec2.EipArgs(domain="vpc"), own)
                nat = ec2.NatGatewayArgs(allocation_id=address.id, subnet_id=public.id, tags={"Name": name})
                # AWS refuses one in a network that does not lead to the internet.
                led_out = pulumi.ResourceOptions(parent=self, depends_on=[way, routed])
                gateways.append(ec2.NatGateway(f"{name}-{zone.name}", nat, led_out))
            label = f"{name}-private-{zone.name}"
            private = _subnet(label, vpc, zone, zone.private, "internal-elb", args.cluster, own)
            table, through = _routes(label, vpc, own, nat_gateway_id=gateways[-1].id)
            self.ways_out += [through, _associate(label, private, table, own)]
            self.private_subnets.append(private.id)
        self.vpc_id = vpc.id
        self.register_outputs({"vpc_id": self.vpc_id, "private_subnets": self.private_subnets})


def _subnet(
    name: str, vpc: ec2.Vpc, zone: Zone, network: str, role: str, cluster: str, options: pulumi.ResourceOptions
) -> ec2.Subnet:
    from pulumi_aws import ec2

    # Tags say where load balancers of Services go (EKS user guide, "Network load balancing").
    tags = {"Name": name, f"kubernetes.io/role/{role}": "1", f"kubernetes.io/cluster/{cluster}": "shared"}
    args = ec2.SubnetArgs(
        vpc_id=vpc.id, cidr_block=network, availability_zone=zone.name, map_public_ip_on_launch=False, tags=tags
    )
    return ec2.Subnet(name, args, options)


def _routes(
    name: str,
    vpc: ec2.Vpc,
    options: pulumi.ResourceOptions,
    *,
    gateway_id: pulumi.Input[str] | None = None,
    nat_gateway_id: pulumi.Input[str] | None = None,
) -> tuple[ec2.RouteTable, ec2.Route]:
    from pulumi_aws import ec2

    table = ec2.RouteTable(name, ec2.RouteTableArgs(vpc_id=vpc.id, tags={"Name": name}), options)
    route = ec2.RouteArgs(
        route_table_id=table.id,
        destination_cidr_block="0.0.0.0/0",
        gateway_id=gateway_id,
        nat_gateway_id=nat_gateway_id,
    )
    return table, ec2.Route(name, route, options)


def _associate(
    name: str, subnet: ec2.Subnet, table: ec2.RouteTable, options: pulumi.ResourceOptions
) -> ec2.RouteTableAssociation:
    from pulumi_aws import ec2

    args = ec2.RouteTableAssociationArgs(subnet_id=subnet.id, route_table_id=table.id)
    return ec2.RouteTableAssociation(name, args, options)


def _record_flows(name: str, vpc: ec2.Vpc, days: int, options: pulumi.ResourceOptions) -> None:
    """Log the VPC's connections."""
    from pulumi_aws import cloudwatch, ec2, iam

    title = f"/aws/vpc/{name}"
    group = cloudwatch.LogGroup(f"{name}-flows", cloudwatch.LogGroupArgs(name=title, retention_in_days=days), options)
    role = iam.Role(
        f"{name}-flows", iam.RoleArgs(assume_role_policy=policies.trust("vpc-flow-logs.amazonaws.com")), options
    )
    actions = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    allowed = policies.document([policies.allow(actions, [f"arn:aws:logs:*:*:log-group:{title}:*"])])
    iam.RolePolicy(f"{name}-flows", iam.RolePolicyArgs(role=role.id, policy=allowed), options)
    log = ec2.FlowLogArgs(
        vpc_id=vpc.id,
        traffic_type="ALL",
        log_destination_type="cloud-watch-logs",
        log_destination=group.arn,
        iam_role_arn=role.arn,
    )
    ec2.FlowLog(name, log, options)
