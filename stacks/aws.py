"""AWS resources of an environment, from VPC to nodes."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from components.aws import database
from components.aws.addons import Addons, AddonsArgs
from components.aws.bucket import Bucket, BucketArgs
from components.aws.endpoints import Endpoints, EndpointsArgs
from components.aws.images import Images, ImagesArgs
from components.aws.nodes import Nodes, NodesArgs
from components.aws.roles import PodRole, PodRoleArgs
from components.aws.vpc import Vpc, VpcArgs
from components.cluster import Cluster, ClusterArgs
from slipway.aws import addons, names
from slipway.aws.identities import Identity, identities
from slipway.aws.network import divide
from slipway.platform.context import Database
from slipway.settings.environment import Environment
from stacks.ground import Ground


def declare(environment: Environment) -> Ground:
    """Declare all AWS resources; the settings have been checked."""
    import pulumi_aws

    settings, name = names.eks(environment), names.prefix(environment)
    protect, tags = environment.protect, {"slipway.dev/environment": environment.name}
    provider = pulumi_aws.Provider(
        name,
        pulumi_aws.ProviderArgs(
            region=settings.region,
            # Credentials of another account fail before any change.
            allowed_account_ids=[settings.account],
            default_tags=pulumi_aws.ProviderDefaultTagsArgs(tags=tags),
        ),
    )
    options = pulumi.ResourceOptions(providers=[provider])
    vpc = Vpc(
        name,
        VpcArgs(
            network=settings.network,
            zones=divide(settings.network, settings.region, settings.zones),
            nat=settings.nat,
            log_days=settings.log_days,
            cluster=name,
        ),
        options,
    )
    reach = EndpointsArgs(
        services=settings.endpoints,
        region=settings.region,
        network=settings.network,
        vpc_id=vpc.vpc_id,
        subnets=vpc.private_subnets,
    )
    Endpoints(name, reach, options)
    cluster = Cluster(name, ClusterArgs(settings=settings, subnets=vpc.private_subnets, protect=protect), options)
    # A node without the CNI never becomes Ready; the CNI without its role gives no pod an address.
    roles = [_pod_role(environment, identity, cluster, options) for identity in identities(environment)]
    held = [role.association for role in roles]
    early = AddonsArgs(cluster=cluster.name, settings=settings, names=addons.FIRST, after=held)
    first = Addons(f"{name}-first", early, options)
    machines = NodesArgs(
        cluster=cluster.name,
        version=settings.version,
        pools=settings.pools,
        subnets=vpc.private_subnets,
        tags=tags,
        after=[*first.installed, *vpc.ways_out],
    )
    nodes = Nodes(name, machines, options)
    late = AddonsArgs(cluster=cluster.name, settings=settings, names=addons.AFTER_NODES, after=nodes.groups)
    rest = Addons(name, late, options)
    images = ImagesArgs(
        prefix=f"slipway/{environment.name}",
        repositories=settings.repositories,
        account=settings.account,
        key_arn=cluster.key_arn,
        replicate_to=settings.replicate_to,
    )
    repositories = Images(name, images, options)
    databases = _stores(environment, vpc, cluster, options)
    exported = {"cluster": cluster.name, "kubeconfig": cluster.kubeconfig, "repositories": repositories.urls}
    pulumi.export("aws", exported)
    return Ground(kubeconfig=cluster.kubeconfig, ready=[*rest.installed, *cluster.admitted], databases=databases)


def _pod_role(
    environment: Environment, identity: Identity, cluster: Cluster, options: pulumi.ResourceOptions
) -> PodRole:
    args = PodRoleArgs(
        identity=identity,
        account=names.eks(environment).account,
        cluster=cluster.name,
        cluster_arn=names.cluster_arn(environment),
    )
    return PodRole(f"{names.prefix(environment)}-{identity.name}", args, options)


def _stores(
    environment: Environment, vpc: Vpc, cluster: Cluster, options: pulumi.ResourceOptions
) -> Mapping[str, Database]:
    """Declare the buckets and database of the installed systems."""
    settings, protect, installed = names.eks(environment), environment.protect, environment.platform
    wanted: dict[names.Purpose, object] = {"mlflow": installed.mlflow, "backup": installed.backup}
    wanted["features"] = installed.feature_store
    for purpose in sorted(purpose for purpose, there in wanted.items() if there):
        kept = BucketArgs(keep_days=settings.keep_days, protect=protect)
        Bucket(names.bucket(environment, purpose), kept, options)
    if not installed.mlflow or installed.mlflow.database != "rds":
        return {}
    args = database.DatabaseArgs(
        settings=settings.database,
        database="mlflow",
        vpc_id=vpc.vpc_id,
        subnets=vpc.private_subnets,
        reached_from=cluster.security_group,
        protect=protect,
    )
    made = database.Database(f"{names.prefix(environment)}-mlflow", args, options)
    return {"mlflow": Database(made.host, made.secret_arn)}
