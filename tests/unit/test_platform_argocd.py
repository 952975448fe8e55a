"""Argo CD's manifests with our settings, what it may deliver."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import pytest
from builders import an_environment

from slipway.errors import SlipwayError
from slipway.platform.argocd import compile_argocd
from slipway.platform.charts import Charts
from slipway.platform.context import Context
from slipway.settings.argocd import ArgoCdSettings
from slipway.tools import toolchain

REPOSITORY = "https://git.example.com/manifests.git"
GITOPS = {"delivery": "gitops", "gitops": {"repository": REPOSITORY, "directory": "clusters/ml"}}
MONITORING = {"repository": REPOSITORY, "path": "monitoring", "namespace": "monitoring", "prune": False}

Found = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def manifests() -> Any:
    charts = Charts(toolchain.binary("helm"), toolchain.data("charts"))
    # Two megabytes of YAML: read once.
    return SimpleNamespace(read=lru_cache(charts.read))


def compiled(manifests: Any, settings: dict[str, Any] | None = None, **environment: Any) -> Found:
    context = Context(an_environment(**environment), manifests)
    objects = compile_argocd(ArgoCdSettings.model_validate(settings or {}, strict=False), context)
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


@pytest.fixture(scope="module")
def full(manifests: Any) -> Found:
    settings = {
        "access": {"deployers": ["ml"], "admins": ["sre"], "viewers": ["all"]},
        "notifications": {"webhook": "http://alerts.monitoring:9093"},
        "applications": {"monitoring-stack": MONITORING},
    }
    return compiled(manifests, settings, **GITOPS, protect=True)


def test_what_is_not_used_is_not_installed(manifests, full) -> None:
    plain = {name for _, name in compiled(manifests)}
    assert not [name for name in plain if name.startswith(("argocd-dex", "argocd-notifications"))]
    assert "argocd-notifications-controller" in {name for _, name in full}
    assert not [kind for kind, _ in compiled(manifests) if kind in ("AppProject", "ApplicationSet")]


def test_what_differs_is_asked_of_the_api_server_and_a_delivery_ends(full) -> None:
    parameters = full["ConfigMap", "argocd-cmd-params-cm"]["data"]
    assert parameters["controller.diff.server.side"] == "true"
    assert int(parameters["controller.sync.timeout.seconds"]) > 0


def test_settings_are_in_its_config_maps(manifests) -> None:
    sso = {"url": "https://argocd.example.com", "issuer": "https://id.example.com", "client_id": "argocd"}
    access = {"admin_account": True, "single_sign_on": {**sso, "client_secret": "$other:key"}}
    found = compiled(manifests, {"sync_timeout_seconds": 77, "access": access})
    assert found["ConfigMap", "argocd-cmd-params-cm"]["data"]["controller.sync.timeout.seconds"] == "77"
    assert found["ConfigMap", "argocd-cm"]["data"]["admin.enabled"] == "true"
    assert json.loads(found["ConfigMap", "argocd-cm"]["data"]["oidc.config"])["clientSecret"] == "$other:key"


def test_models_come_from_the_revision_and_the_directories_of_the_stacks(manifests) -> None:
    gitops = {**GITOPS["gitops"], "revision": "v7", "stacks": ["eu", "us"]}
    spec = compiled(manifests, delivery="gitops", gitops=gitops)["ApplicationSet", "model-serving"]["spec"]
    (generator,) = [each["git"] for each in spec["generators"]]
    assert generator["revision"] == spec["template"]["spec"]["source"]["targetRevision"] == "v7"
    stacks = [each["path"].split("/")[2] for each in generator["directories"]]
    assert stacks == ["eu", "eu", "us", "us"]


def test_each_model_is_an_application_of_its_own(full) -> None:
    spec = full["ApplicationSet", "model-serving"]["spec"]
    directories = spec["generators"][0]["git"]["directories"]
    assert directories == [{"path": "clusters/ml/staging/models/*"}, {"path": "clusters/ml/staging/shared/*"}]
    # clusters / ml / staging / models / churn
    assert spec["template"]["metadata"]["name"] == "{{index .path.segments 3}}-{{.path.basename}}"
    options = spec["template"]["spec"]["syncPolicy"]
    assert options["automated"] == {"prune": True, "selfHeal": True}
    assert "ApplyOutOfSyncOnly=true" not in options["syncOptions"]


def test_a_directory_that_is_gone_takes_no_protected_model_away(manifests, full) -> None:
    spec = full["ApplicationSet", "model-serving"]["spec"]
    assert spec["syncPolicy"] == {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True}
    assert spec["template"]["metadata"]["finalizers"] == []
    free = compiled(manifests, **GITOPS, protect=False)["ApplicationSet", "model-serving"]["spec"]
    assert free["syncPolicy"]["applicationsSync"] == "sync"
    assert free["template"]["metadata"]["finalizers"]


def test_a_models_files_may_hold_nothing_but_what_a_model_is(full) -> None:
    project = full["AppProject", "ml-models"]["spec"]
    assert {each["kind"] for each in project["namespaceResourceWhitelist"]} == {
        "InferenceService",
        "Service",
        "Canary",
        "MetricTemplate",
    }
    assert project["clusterResourceWhitelist"] == []
    assert project["sourceRepos"] == [REPOSITORY]
    assert [each["namespace"] for each in project["destinations"]] == ["models"]
    (role,) = project["roles"]
    assert (role["groups"], len(role["policies"])) == (["ml"], 2)


def test_the_monitoring_stack_is_not_pruned_and_carries_no_credentials(full) -> None:
    application = full["Application", "monitoring-stack"]["spec"]
    assert application["syncPolicy"]["automated"] == {"prune": False, "selfHeal": True}
    forbidden = full["AppProject", "ml-platform"]["spec"]["namespaceResourceBlacklist"]
    assert {"group": "", "kind": "Secret"} in forbidden


def test_whoever_is_in_no_group_may_do_nothing(full) -> None:
    data = full["ConfigMap", "argocd-rbac-cm"]["data"]
    assert data["policy.default"] == ""
    assert data["policy.csv"] == "g, sre, role:admin\ng, all, role:readonly\n"
    assert full["ConfigMap", "argocd-cm"]["data"]["admin.enabled"] == "false"


def test_an_identity_provider_gets_its_secret_by_reference_only(manifests) -> None:
    sso = {"url": "https://argocd.example.com", "issuer": "https://id.example.com", "client_id": "argocd"}
    data = compiled(manifests, {"access": {"single_sign_on": sso}})["ConfigMap", "argocd-cm"]["data"]
    assert json.loads(data["oidc.config"])["clientSecret"] == "$argocd-oidc:clientSecret"
    assert data["url"] == sso["url"]


def test_credentials_come_from_the_secret_store_or_not_at_all(manifests) -> None:
    with pytest.raises(SlipwayError, match=r"platform.argocd.credentials: prod/argocd is in a secret store, but"):
        compiled(manifests, {"credentials": "prod/argocd"})
    with_store = compiled(manifests, {"credentials": "prod/argocd"}, platform={"secrets": {"region": "eu-central-1"}})
    wanted = with_store["ExternalSecret", "manifests-repository"]["spec"]
    assert wanted["target"]["template"]["metadata"]["labels"] == {"argocd.argoproj.io/secret-type": "repository"}
    assert not [name for kind, name in with_store if kind == "Secret" and "repository" in name]


def test_every_event_has_a_trigger_with_a_template(full) -> None:
    data = full["ConfigMap", "argocd-notifications-cm"]["data"]
    for event in json.loads(data["subscriptions"])[0]["triggers"]:
        (trigger,) = json.loads(data[f"trigger.{event}"])
        assert trigger["send"] == [event]
        body = json.loads(data[f"template.{event}"])["webhook"]["slipway"]["body"]
        # What Argo CD makes of it is JSON too, whatever the message says.
        said = re.sub(r"{{with.*end}}", '"said"', body)
        assert json.loads(said)["event"] == event
        assert "toJson" in body
