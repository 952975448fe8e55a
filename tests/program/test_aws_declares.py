"""What an environment declares on AWS, over the whole program."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from projects import CHECKOUT
from pulumi_aws import Provider
from states import MADE_BY_AWS

from components.aws.bucket import Bucket, BucketArgs
from components.aws.database import Database, DatabaseArgs
from slipway.aws import account, rules
from slipway.aws.rules import Resource
from slipway.errors import SlipwayError
from slipway.platform import compiling
from slipway.settings.aws import DatabaseSettings
from slipway.settings.stack_file import read_environment
from slipway.tools import toolchain
from stacks import environment, platform

STACKS = ("dev", "staging", "prod")


def of_aws(ran) -> list[Resource]:
    return [Resource(one.type, one.name, one.inputs) for one in ran.engine.registered if one.type.startswith("aws:")]


def settings_of(stack: str, **changes: object) -> dict[str, object]:
    eks = read_environment(CHECKOUT, stack).cluster.eks
    assert eks is not None
    return {
        "cluster": {"identifier": stack, "eks": {**eks.model_dump(mode="json"), **changes}},
        "layers": ["platform", "metrics"],
    }


#: What was run: nothing changes it, and each run takes a quarter of a second.
RUNS: dict[tuple[str, bool], Any] = {}
VIEWER = "arn:aws:iam::123456789012:role/people/analyst"
OPENED = {"viewers": [VIEWER], "public_access": ["203.0.113.0/24"], "replicate_to": ["eu-west-1"]}


@pytest.fixture
def up(run, monkeypatch) -> Callable[..., Any]:
    """Run the program with the settings of a stack of the checkout, those in OPENED besides if it is `opened`."""
    monkeypatch.setattr(account, "check", lambda environment: None)

    def go(stack: str = "prod", opened: bool = False):
        if (stack, opened) not in RUNS:
            RUNS[stack, opened] = fresh(stack, **(OPENED if opened else {}))
        return RUNS[stack, opened]

    def fresh(stack: str, **changes: object):
        ran = run(stack, preview=False, settings=settings_of(stack, **changes))
        # A resource whose type is deprecated would warn.
        assert (ran.exit_status, ran.said.get("warning")) == (None, None), ran.said
        return ran

    return go


@pytest.fixture
def store(run, monkeypatch):
    """Declare a database with a bucket."""

    async def declare():
        database = DatabaseArgs(
            settings=DatabaseSettings(),
            database="mlflow",
            vpc_id="vpc-1",
            subnets=["subnet-1", "subnet-2"],
            reached_from="sg-nodes",
            protect=True,
        )
        options = pulumi.ResourceOptions(providers=[Provider("aws", region="eu-central-1")])
        Database("slipway-prod-mlflow", database, options)
        Bucket("slipway-prod-artifacts", BucketArgs(keep_days=365, protect=True), options)

    # Undone at once: a test may take `up` too, which runs the whole program.
    with monkeypatch.context() as patched:
        patched.setattr(environment, "main", declare)
        ran = run("prod", preview=False)
    assert ran.exit_status is None, ran.said
    return ran


def one(resources: list[Resource], type_: str, name: str = "slipway-prod") -> Resource:
    (found,) = [each for each in resources if each.type.endswith(f":{type_}") and each.name == name]
    return found


@pytest.mark.parametrize("stack", STACKS)
def test_no_resource_of_an_environment_breaks_a_rule(up, stack):
    declared = of_aws(up(stack))
    assert rules.violations(declared) == []
    assert len({each.type for each in declared}) > 20


def test_no_resource_of_a_store_breaks_a_rule(store):
    assert rules.violations(of_aws(store)) == []


def test_no_type_is_declared_that_no_rule_has_looked_at(up, store):
    types = {each.type for each in (*of_aws(up()), *of_aws(store))}
    assert types <= set(rules.RULES) | rules.HARMLESS


def test_everything_on_aws_is_in_the_region_of_the_one_provider_that_refuses_other_accounts(up):
    ran = up()
    (provider,) = [each for each in ran.engine.registered if each.type == "pulumi:providers:aws"]
    assert provider.inputs["region"] == "eu-central-1"
    assert json.loads(provider.inputs["allowedAccountIds"]) == ["123456789012"]
    assert all("::slipway-prod::" in each.provider for each in ran.engine.registered if each.type.startswith("aws:"))


def test_nodes_have_only_private_subnets_and_reach_out_through_their_own_zone(up):
    declared = of_aws(up())
    private = {f"slipway-prod-private-eu-central-1{zone}-id" for zone in "abc"}
    groups = [each for each in declared if each.type.endswith(":NodeGroup")]
    assert {each.name for each in groups} == {
        f"slipway-prod-{pool}" for pool in ("gpu", "serving", "system", "training")
    }
    assert all(set(each.properties["subnetIds"]) == private for each in groups)
    for zone in "abc":
        route = one(declared, "Route", f"slipway-prod-private-eu-central-1{zone}")
        assert route.properties["natGatewayId"] == f"slipway-prod-eu-central-1{zone}-id"
        assert "gatewayId" not in route.properties


def test_one_nat_gateway_serves_all_zones_where_the_settings_say_so(up):
    declared = of_aws(up("dev"))
    assert [each.name for each in declared if each.type.endswith(":NatGateway")] == ["slipway-dev-eu-central-1a"]
    routes = [each for each in declared if each.type.endswith(":Route") and "private" in each.name]
    assert {each.properties["natGatewayId"] for each in routes} == {"slipway-dev-eu-central-1a-id"}


def test_pools_differ_by_label_taint_capacity_and_image(up):
    declared = of_aws(up())
    gpu, training = (one(declared, "NodeGroup", f"slipway-prod-{pool}").properties for pool in ("gpu", "training"))
    assert gpu["amiType"] == "AL2023_x86_64_NVIDIA"
    assert gpu["taints"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}]
    assert gpu["scalingConfig"] == {"minSize": 0, "maxSize": 4, "desiredSize": 0}
    assert training["capacityType"] == "SPOT"
    assert training["labels"] == {"slipway.dev/pool": "training"}
    assert training["taints"] == [{"key": "slipway.dev/pool", "value": "training", "effect": "NO_SCHEDULE"}]


def test_nodes_follow_the_version_of_their_control_plane(up):
    declared = of_aws(up())
    nodes = {each.properties["version"] for each in declared if each.type.endswith(":NodeGroup")}
    assert nodes == {one(declared, "Cluster").properties["version"]}


def test_the_autoscalers_number_of_nodes_is_left_to_it(up):
    groups = [each for each in up().engine.registered if each.type.endswith(":NodeGroup")]
    assert {each.ignore_changes for each in groups} == {("scalingConfig.desiredSize",)}


def test_add_ons_come_in_the_order_in_which_nodes_need_them(up):
    ran = up()
    waits = {each.name: each.depends_on for each in ran.engine.registered if each.type.startswith("aws:eks")}
    assert "slipway-prod-first-vpc-cni" in waits["slipway-prod-system"]
    assert "slipway-prod-cni" in waits["slipway-prod-first-vpc-cni"]
    assert "slipway-prod-system" in waits["slipway-prod-coredns"]
    network = one(of_aws(ran), "Addon", "slipway-prod-first-vpc-cni").properties
    assert json.loads(network["configurationValues"]) == {"enableNetworkPolicy": "true"}


def test_what_starts_finds_the_way_out_and_who_asks_the_api_is_let_in(up):
    waits = {(each.type.rpartition(":")[2], each.name): each.depends_on for each in up().engine.registered}
    zone = "slipway-prod-private-eu-central-1a"
    assert "slipway-prod-public" in waits["NatGateway", "slipway-prod-eu-central-1a"]
    assert zone in waits["NodeGroup", "slipway-prod-system"]
    assert "slipway-prod-admin-slipway" in waits["kubernetes", "prod"]


def test_only_named_principals_get_in_and_viewers_see_no_secrets(up):
    declared = of_aws(up(opened=True))
    given = {
        each.properties["principalArn"]: each.properties["policyArn"].rpartition("/")[2]
        for each in declared
        if each.type.endswith(":AccessPolicyAssociation")
    }
    assert given == {
        "arn:aws:iam::123456789012:role/slipway": "AmazonEKSClusterAdminPolicy",
        VIEWER: "AmazonEKSViewPolicy",
    }


def test_the_api_has_a_public_address_only_for_named_networks(up):
    assert one(of_aws(up()), "Cluster").properties["vpcConfig"]["endpointPublicAccess"] is False
    opened = one(of_aws(up(opened=True)), "Cluster").properties["vpcConfig"]
    assert (opened["endpointPublicAccess"], opened["publicAccessCidrs"]) == (True, ["203.0.113.0/24"])


def test_images_are_copied_to_the_regions_of_the_stacks_that_come_after(up):
    assert not [each for each in of_aws(up()) if each.type.endswith(":ReplicationConfiguration")]
    (rule,) = one(of_aws(up(opened=True)), "ReplicationConfiguration").properties["replicationConfiguration"]["rules"]
    assert rule["destinations"] == [{"region": "eu-west-1", "registryId": "123456789012"}]
    assert rule["repositoryFilters"] == [{"filter": "slipway/prod/", "filterType": "PREFIX_MATCH"}]


def test_the_cluster_is_protected_where_the_environment_is(up):
    assert one(of_aws(up("prod")), "Cluster").properties["deletionProtection"] is True
    assert one(of_aws(up("dev")), "Cluster", "slipway-dev").properties["deletionProtection"] is False


def test_a_role_can_be_taken_by_one_service_account_of_this_cluster_only(up):
    declared = of_aws(up())
    associations = [each.properties for each in declared if each.type.endswith(":PodIdentityAssociation")]
    accounts = [(each["namespace"], each["serviceAccount"]) for each in associations]
    assert sorted(accounts) == [("kube-system", "aws-node"), ("kube-system", "ebs-csi-controller-sa")]
    (trust,) = json.loads(one(declared, "Role", "slipway-prod-disks").properties["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert trust["Condition"]["ArnEquals"]["aws:SourceArn"].endswith(":cluster/slipway-prod")


def test_the_database_answers_the_nodes_alone_and_its_password_is_in_no_state(store):
    declared = of_aws(store)
    way_in = one(declared, "SecurityGroupIngressRule", "slipway-prod-mlflow").properties
    assert way_in["referencedSecurityGroupId"] == "sg-nodes"
    assert (way_in["fromPort"], way_in["toPort"]) == (5432, 5432)
    instance = one(declared, "Instance", "slipway-prod-mlflow").properties
    assert instance["manageMasterUserPassword"] is True
    assert "password" not in instance
    assert instance["multiAz"] is True


def test_what_the_store_holds_is_protected_and_locked(store):
    protected = {each.type.rpartition(":")[2] for each in store.engine.registered if each.protect}
    assert protected == {"Bucket", "Instance"}
    lock = one(of_aws(store), "BucketObjectLockConfiguration", "slipway-prod-artifacts").properties
    assert lock["rule"] == {"defaultRetention": {"mode": "GOVERNANCE", "days": 365}}


def test_mlflow_is_told_where_its_database_answers_and_what_holds_its_login(run, monkeypatch):
    monkeypatch.setattr(account, "check", lambda environment: None)
    monkeypatch.setattr(compiling, "SYSTEMS", (compiling.MLFLOW,))
    monkeypatch.setattr(platform, "inspect", lambda *_: None)
    for name in ("binary", "data"):
        monkeypatch.setattr(toolchain, name, lambda _: CHECKOUT)
    installed = {"mlflow": {"database": "rds"}, "secrets": {"region": "eu-central-1"}}
    ran = run("prod", preview=False, settings={**settings_of("prod"), "platform": installed})
    assert ran.exit_status is None, ran.said
    (container,) = ran.one("Deployment", "mlflow/mlflow").inputs["spec"]["template"]["spec"]["containers"]
    assert {"name": "DATABASE_HOST", "value": "db.example.com"} in container["env"]
    keys = [
        each.inputs["spec"]["dataFrom"][0]["extract"]["key"]
        for each in ran.objects
        if each.type.endswith(":ExternalSecret")
    ]
    assert MADE_BY_AWS["aws:rds/instance:Instance"]["masterUserSecrets"][0]["secretArn"] in keys
    buckets = [each.name for each in of_aws(ran) if each.type == "aws:s3/bucket:Bucket"]
    assert buckets == ["slipway-prod-mlflow-123456789012-eu-central-1"]
    assert rules.violations(of_aws(ran)) == []


@pytest.mark.parametrize("preview", [True, False])
def test_without_credentials_a_run_ends_with_one_sentence(run, monkeypatch, preview):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    ran = run("prod", preview=preview, settings=settings_of("prod"))
    assert ran.said["error"] == [
        "Pulumi.prod.yaml: slipway:cluster.eks: no AWS credentials;"
        " sign in (`aws sso login`), or set AWS_PROFILE or AWS_ACCESS_KEY_ID"
    ]
    assert ran.exit_status == environment.TOLD
    assert [each.type for each in ran.engine.registered] == ["pulumi:pulumi:Stack"]


def test_what_the_account_check_finds_is_said_before_anything_is_registered(run, monkeypatch):
    def refuse(environment):
        raise SlipwayError("no room")

    monkeypatch.setattr(account, "check", refuse)
    ran = run("prod", settings=settings_of("prod"))
    assert ran.said["error"] == ["no room"]
    assert [each.type for each in ran.engine.registered] == ["pulumi:pulumi:Stack"]


def test_a_stack_that_uses_no_aws_loads_nothing_of_it() -> None:
    code = (
        "import sys, stacks.environment; print([n for n in sys.modules if n.split('.')[0] in ('pulumi_aws', 'boto3')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
