"""Component for a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from slipway.settings.aws import DatabaseSettings

PORT = 5432


@dataclass(frozen=True, kw_only=True, eq=False)
class DatabaseArgs:
    """Arguments of `Database`.

    Args:
        database: Name of the first database.
        subnets: Private subnets in at least two zones.
        reached_from: The only security group that may connect.
        protect: Whether AWS, too, refuses to delete it; without protection it leaves no final snapshot either.
    """

    settings: DatabaseSettings
    database: str
    vpc_id: pulumi.Input[str]
    subnets: Sequence[pulumi.Input[str]]
    reached_from: pulumi.Input[str]
    protect: bool


class Database(pulumi.ComponentResource):
    """Encrypted, private database with backups; RDS creates and rotates its password in Secrets Manager.

    Outputs:
        host: Its address.
        secret_arn: Secret with `username` and `password`. The password is not in Pulumi's state.
    """

    host: pulumi.Output[str]
    secret_arn: pulumi.Output[str]

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        from pulumi_aws import ec2, kms, rds, vpc

        super().__init__("slipway:aws:Database", name, None, opts)
        own, settings = pulumi.ResourceOptions(parent=self), args.settings
        key = kms.Key(
            name, kms.KeyArgs(description=f"Database {name}", enable_key_rotation=True, deletion_window_in_days=30), own
        )
        subnets = rds.SubnetGroup(name, rds.SubnetGroupArgs(name=name, subnet_ids=args.subnets), own)
        group = ec2.SecurityGroup(
            name, ec2.SecurityGroupArgs(vpc_id=args.vpc_id, description=f"Who reaches the database {name}"), own
        )
        way_in = vpc.SecurityGroupIngressRuleArgs(
            security_group_id=group.id,
            referenced_security_group_id=args.reached_from,
            ip_protocol="tcp",
            from_port=PORT,
            to_port=PORT,
        )
        vpc.SecurityGroupIngressRule(name, way_in, own)
        # Named by the major version: the next one's group has to be there before this one goes.
        parameters = rds.ParameterGroup(
            f"{name}-{settings.version}",
            rds.ParameterGroupArgs(
                family=f"postgres{settings.version}",
                parameters=[rds.ParameterGroupParameterArgs(name="rds.force_ssl", value="1")],
            ),
            own,
        )
        instance = rds.Instance(
            name,
            rds.InstanceArgs(
                identifier=name,
                engine="postgres",
                engine_version=settings.version,
                instance_class=settings.instance,
                db_name=args.database,
                port=PORT,
                username="slipway",
                manage_master_user_password=True,
                allocated_storage=settings.storage_gb,
                max_allocated_storage=settings.storage_gb * 5,
                storage_type="gp3",
                storage_encrypted=True,
                kms_key_id=key.arn,
                multi_az=settings.standby,
                backup_retention_period=settings.backup_days,
                copy_tags_to_snapshot=True,
                deletion_protection=args.protect,
                skip_final_snapshot=not args.protect,
                final_snapshot_identifier=f"{name}-last" if args.protect else None,
                auto_minor_version_upgrade=True,
                publicly_accessible=False,
                db_subnet_group_name=subnets.name,
                parameter_group_name=parameters.name,
                vpc_security_group_ids=[group.id],
                enabled_cloudwatch_logs_exports=["postgresql", "upgrade"],
            ),
            pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.host = instance.address
        self.secret_arn = instance.master_user_secrets.apply(lambda secrets: secrets[0].secret_arn or "")
        self.register_outputs({"host": self.host, "secret_arn": self.secret_arn})
