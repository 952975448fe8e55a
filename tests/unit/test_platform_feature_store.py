"""Feast: where its registry with its online store is, who may ask it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from builders import an_environment

from slipway.aws.identities import identities
from slipway.platform.charts import Charts
from slipway.platform.context import Context
from slipway.platform.feature_store import compile_feature_store
from slipway.platform.network import compile_network
from slipway.settings.environment import Environment

ADMIN = "arn:aws:iam::111122223333:role/slipway"
EKS = {"identifier": "prod", "eks": {"account": "111122223333", "region": "eu-central-1", "admins": [ADMIN]}}
Found = dict[tuple[str, str], dict[str, Any]]


def environment(cluster: dict[str, Any] | None = None, **settings: Any) -> Environment:
    changes = {"cluster": cluster} if cluster else {}
    return an_environment("prod", platform={"network": {}, "feature_store": settings}, **changes)


def compiled(where: Environment) -> Found:
    assert where.platform.feature_store is not None
    found = compile_feature_store(where.platform.feature_store, context(where))
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def context(where: Environment) -> Context:
    return Context(where, Charts(Path("no-helm"), Path("no-charts")))


def configured(objects: Found) -> dict[str, Any]:
    return dict(yaml.safe_load(objects["ConfigMap", "feature-store"]["data"]["feature_store.yaml"]))


def test_on_aws_nothing_is_kept_in_the_cluster() -> None:
    objects = compiled(environment(EKS, replicas=2))
    settings = configured(objects)
    assert settings["registry"]["path"] == "s3://slipway-prod-features-111122223333-eu-central-1/registry.db"
    assert settings["online_store"] == {"type": "dynamodb", "region": "eu-central-1"}
    assert objects["Deployment", "feature-store"]["spec"]["replicas"] == 2
    assert ("PersistentVolumeClaim", "feature-store") not in objects


def test_the_role_on_aws_is_that_of_the_servers_account_for_the_tables_of_its_project() -> None:
    where = environment(EKS)
    objects = compiled(where)
    (role,) = [each for each in identities(where) if each.name == "feature-store"]
    assert ("ServiceAccount", role.service_account) in objects
    assert objects["ServiceAccount", role.service_account]["metadata"]["namespace"] == role.namespace
    assert f"table/{configured(objects)['project']}." in str(role.statements)


def test_elsewhere_both_are_files_of_one_server() -> None:
    objects = compiled(environment(replicas=2))
    settings = configured(objects)
    assert (settings["registry"]["path"], settings["online_store"]["path"]) == ("/data/registry.db", "/data/online.db")
    assert objects["Deployment", "feature-store"]["spec"]["replicas"] == 1
    assert ("PersistentVolumeClaim", "feature-store") in objects
    assert ("PersistentVolumeClaim", "feature-store") not in compiled(environment(storage_gib=None))


def test_elsewhere_what_the_team_gives_is_applied_to_the_servers_own_volume_before_it_serves() -> None:
    pod = compiled(environment())["Deployment", "feature-store"]["spec"]["template"]["spec"]
    (first,), (server,) = pod["initContainers"], pod["containers"]
    assert "feast --chdir=/tmp/repository apply" in first["command"][-1]
    assert first["image"] == server["image"]
    assert {"name": "data", "mountPath": "/data"} in first["volumeMounts"]
    # Without definitions, as before the team's first commit, it serves all the same.
    assert {"name": "features", "configMap": {"name": "features", "optional": True}} in pod["volumes"]
    assert "initContainers" not in compiled(environment(EKS))["Deployment", "feature-store"]["spec"]["template"]["spec"]


def test_models_with_training_may_ask_it_and_nobody_else() -> None:
    where = environment()
    objects = compiled(where)
    inward = sorted(name for kind, name in objects if kind == "NetworkPolicy" and name.startswith("from-"))
    assert inward == ["from-models", "from-training"]
    assert where.platform.network is not None
    outward = {
        each["metadata"]["namespace"]
        for each in compile_network(where.platform.network, context(where))
        if each["metadata"]["name"] == "to-feature-store"
    }
    assert outward == {"models", "training"}


def test_other_features_are_seen_soon_after_a_change_of_its_settings() -> None:
    before, after = (compiled(environment(cache_seconds=seconds)) for seconds in (60, 30))
    said = [
        each["Deployment", "feature-store"]["spec"]["template"]["metadata"]["annotations"] for each in (before, after)
    ]
    assert said[0] != said[1]
