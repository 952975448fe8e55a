"""What an environment is on AWS, as plain data."""

from __future__ import annotations

import ipaddress
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from builders import an_environment

from slipway.aws import names, rules
from slipway.aws.identities import identities
from slipway.aws.kubeconfig import kubeconfig as eks_kubeconfig
from slipway.aws.network import divide
from slipway.aws.policies import document
from slipway.clients import kubeconfig
from slipway.errors import SlipwayError
from slipway.platform.capacity import compile_capacity
from slipway.platform.charts import Charts
from slipway.platform.context import Context
from slipway.settings.operating import CapacitySettings

EKS = {"account": "111122223333", "region": "eu-central-1", "admins": ["arn:aws:iam::111122223333:role/slipway"]}


def on_aws(name: str = "prod", platform: dict[str, Any] | None = None, **changes: Any):
    cluster = {"identifier": name, "eks": {**EKS, **changes}}
    return an_environment(name, cluster=cluster, platform=platform or {})


@pytest.mark.parametrize(("network", "letters"), [("10.0.0.0/16", "abc"), ("172.16.0.0/20", "abcdef")])
def test_the_parts_of_a_network_lie_within_it_and_overlap_nowhere(network, letters):
    zones = divide(network, "eu-central-1", letters)
    assert [zone.name for zone in zones] == [f"eu-central-1{letter}" for letter in letters]
    parts = [ipaddress.IPv4Network(part) for zone in zones for part in (zone.private, zone.public)]
    assert all(part.subnet_of(ipaddress.IPv4Network(network)) for part in parts)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(parts, 2))


def test_a_zone_that_is_added_at_the_end_moves_no_other():
    assert divide("10.0.0.0/16", "r", "abc")[:2] == divide("10.0.0.0/16", "r", "ab")


def test_a_bucket_has_a_name_that_no_other_account_region_or_environment_has():
    assert names.bucket(on_aws(), "mlflow") == "slipway-prod-mlflow-111122223333-eu-central-1"


def test_a_stack_of_models_finds_the_cluster_that_another_stack_made():
    cluster = {"identifier": "prod", "eks": EKS}
    models = an_environment("prod", cluster=cluster, layers=["models"], platform_stack="prod-platform")
    assert names.prefix(models) == "slipway-prod-platform"


def test_a_bucket_whose_name_s3_would_refuse_is_told():
    with pytest.raises(SlipwayError, match="S3 takes 63; choose a shorter name for the stack"):
        names.bucket(on_aws("a-stack-with-a-rather-long-name"), "mlflow")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"acount": "1"}, r"cluster\.eks\.acount: unknown key; nearest valid key is 'account'"),
        ({"account": "1234"}, r"cluster\.eks\.account: expected a text that matches"),
        ({"network": "8.8.0.0/16"}, r"cluster\.eks\.network: expected a private network from /16 to /20"),
        ({"network": "10.0.0.0/24"}, r"cluster\.eks\.network: expected a private network from /16 to /20"),
        ({"network": "10.0.0.1/16"}, r"cluster\.eks\.network: expected a private network .* got '10.0.0.1/16'"),
        ({"public_access": ["0.0.0.0/0"]}, r"cluster\.eks\.public_access: .*'0.0.0.0/0', which is everyone"),
        ({"public_access": ["office"]}, r"cluster\.eks\.public_access: .* got 'office'"),
        ({"zones": ["a"]}, r"cluster\.eks\.zones: expected at least 2 entries"),
        ({"admins": ["arn:aws:sts::111122223333:assumed-role/x/me"]}, r"cluster\.eks\.admins\[0\]: expected a text"),
    ],
)
def test_settings_that_aws_would_refuse_are_refused(changes, said):
    with pytest.raises(SlipwayError, match=said):
        on_aws(**changes)


def test_a_cluster_is_made_or_given_not_both():
    with pytest.raises(SlipwayError, match="kubeconfig names an existing cluster, eks makes one; remove one"):
        an_environment(cluster={"identifier": "x", "kubeconfig": "k", "eks": EKS})


def test_a_service_account_that_is_of_something_not_installed_has_no_role():
    assert [each.name for each in identities(on_aws())] == ["cni", "disks"]


def test_models_may_only_read_and_only_their_artifacts():
    (models,) = [each for each in identities(on_aws(artifact_buckets=["theirs"])) if each.name == "models"]
    assert (models.namespace, models.service_account) == ("models", "models")
    allowed = {action for statement in models.statements for action in statement["Action"]}
    assert allowed == {"s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket"}
    assert all("theirs" in resource for statement in models.statements for resource in statement["Resource"])


def test_secrets_are_read_from_the_environments_own_path_and_of_its_own_databases():
    (secrets,) = [
        each for each in identities(on_aws(platform={"secrets": {"region": "eu-central-1"}})) if each.name == "secrets"
    ]
    own, databases = secrets.statements
    assert own["Resource"] == ["arn:aws:secretsmanager:eu-central-1:111122223333:secret:slipway/prod/*"]
    (condition,) = databases["Condition"]["StringLike"].values()
    assert condition == "arn:aws:rds:eu-central-1:111122223333:db:slipway-prod-*"


def test_no_identity_may_do_more_than_it_names():
    everything = on_aws(
        platform={
            "secrets": {"region": "eu-central-1"},
            "network": {},
            "capacity": {},
            "mlflow": {"database": "rds"},
            "backup": {"bucket": "theirs", "region": "eu-central-1"},
        },
        artifact_buckets=["theirs"],
    )
    assert len(identities(everything)) > 7
    for each in identities(everything):
        assert rules.check("aws:iam/rolePolicy:RolePolicy", {"policy": document(each.statements)}) == [], each.name


def test_the_kubeconfig_asks_the_aws_cli_and_holds_no_secret():
    text = eks_kubeconfig("slipway-prod", "eu-central-1", "https://api.example.com", "Q0E=")
    config = json.loads(text)
    (user,) = config["users"]
    assert list(user["user"]) == ["exec"]
    assert user["user"]["exec"]["args"][:4] == ["--region", "eu-central-1", "eks", "get-token"]
    user["user"].pop("exec")
    access = kubeconfig.access(config, Path())
    assert access.server == "https://api.example.com"
    assert isinstance(access.verify, str)
    assert Path(access.verify).read_bytes() == b"CA"


def test_the_autoscaler_finds_the_groups_of_its_own_cluster_only():
    environment = on_aws(platform={"capacity": {"unneeded_minutes": 20}})
    context = Context(environment, Charts(Path(), Path(), Path()))
    objects = compile_capacity(CapacitySettings(unneeded_minutes=20), context)
    (autoscaler,) = [each for each in objects if each["kind"] == "Deployment"]
    (container,) = autoscaler["spec"]["template"]["spec"]["containers"]
    (found,) = [each for each in container["command"] if "auto-discovery" in each]
    assert found.endswith("k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/slipway-prod")
    assert "--scale-down-unneeded-time=20m" in container["command"]
    (identity,) = [each for each in identities(environment) if each.name == "autoscaler"]
    accounts = [each["metadata"] for each in objects if each["kind"] == "ServiceAccount"]
    assert accounts == [{"name": identity.service_account, "namespace": identity.namespace}]
    *_, act = identity.statements
    assert act["Condition"] == {"StringEquals": {"aws:ResourceTag/k8s.io/cluster-autoscaler/slipway-prod": "owned"}}


def test_volumes_of_those_who_name_no_class_are_encrypted():
    objects = compile_capacity(CapacitySettings(), Context(on_aws(), Charts(Path(), Path(), Path())))
    (volumes,) = [each for each in objects if each["kind"] == "StorageClass"]
    assert volumes["parameters"]["encrypted"] == "true"
    assert volumes["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"


def test_node_pools_of_somebody_elses_cluster_are_not_scaled():
    context = Context(an_environment(), Charts(Path(), Path(), Path()))
    with pytest.raises(SlipwayError, match=r"slipway:platform\.capacity: expected slipway:cluster\.eks"):
        compile_capacity(CapacitySettings(), context)
