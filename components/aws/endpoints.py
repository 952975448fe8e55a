"""Component for private endpoints of AWS services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, kw_only=True, eq=False)
class EndpointsArgs:
    """Arguments of `Endpoints`; services as in an endpoint's name (`ecr.api`), the VPC's CIDR, its private subnets."""

    services: Sequence[str]
    region: str
    network: str
    vpc_id: pulumi.Input[str]
    subnets: Sequence[pulumi.Input[str]]


class Endpoints(pulumi.ComponentResource):
    """Private addresses of AWS services under their public names, so that egress can be limited to the VPC."""

    def __init__(self, name: str, args: EndpointsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        from pulumi_aws import ec2, vpc

        super().__init__("slipway:aws:Endpoints", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        title = f"{name}-endpoints"
        group = ec2.SecurityGroup(
            title, ec2.SecurityGroupArgs(vpc_id=args.vpc_id, description=f"Who reaches AWS from {name}"), own
        )
        way_in = vpc.SecurityGroupIngressRuleArgs(
            security_group_id=group.id, cidr_ipv4=args.network, ip_protocol="tcp", from_port=443, to_port=443
        )
        vpc.SecurityGroupIngressRule(title, way_in, own)
        for service in sorted(args.services):
            endpoint = ec2.VpcEndpointArgs(
                vpc_id=args.vpc_id,
                service_name=f"com.amazonaws.{args.region}.{service}",
                vpc_endpoint_type="Interface",
                subnet_ids=args.subnets,
                security_group_ids=[group.id],
                private_dns_enabled=True,
                # S3's name would otherwise lead pods to a public address, which their network policies shut.
                dns_options=ec2.VpcEndpointDnsOptionsArgs(private_dns_only_for_inbound_resolver_endpoint=False)
                if service == "s3"
                else None,
            )
            ec2.VpcEndpoint(f"{name}-{service}", endpoint, own)
        self.register_outputs({})
