"""What the program registers."""

from __future__ import annotations

import json
import sys

from builders import a_release
from states import CANDIDATE, STABLE, seen

from slipway.models.pins import Pin


def test_a_first_deployment_declares_one_inference_service_the_trio_and_the_canary(project, run):
    project.pinned(STABLE)
    ran = run()
    assert [(one.type, one.name) for one in ran.objects if one.parent == "churn"] == [
        ("kubernetes:serving.kserve.io/v1beta1:InferenceService", "churn-v7"),
        ("kubernetes:core/v1:Service", "churn"),
        ("kubernetes:core/v1:Service", "churn-primary"),
        ("kubernetes:core/v1:Service", "churn-canary"),
        ("kubernetes:flagger.app/v1beta1:Canary", "churn"),
    ]
    assert ran.exit_status is None


def test_the_services_wait_for_the_inference_service_they_select_and_the_canary_for_the_services(project, run):
    project.pinned(STABLE)
    ran = run()
    assert {ran.one("Service", name).depends_on for name in ("churn", "churn-primary", "churn-canary")} == {
        frozenset({"churn-v7"})
    }
    assert ran.one("Canary", "churn").depends_on == {"churn", "churn-primary", "churn-canary"}


def test_in_a_rollout_the_target_waits_for_the_candidate_and_the_stable_one_stays(project, run):
    project.pinned(STABLE, CANDIDATE)
    ran = run(observed=seen(7, 7, "Succeeded", 7))
    assert ran.one("InferenceService", "churn-v7").inputs["spec"]["predictor"]["model"]["storageUri"] == (
        STABLE.artifact.uri
    )
    target = ran.one("Service", "churn")
    assert target.inputs["spec"]["selector"] == {"app": "isvc.churn-v8-predictor"}
    assert target.depends_on == {"churn-v8"}
    assert ran.one("Service", "churn-primary").inputs["spec"]["selector"] == {"app": "isvc.churn-v7-predictor"}


def test_a_shadow_is_asked_copies_once_the_target_has_moved(project, run):
    project.pinned(STABLE, CANDIDATE)
    project.spec("churn", rollout={"requests_per_second": 20, "strategy": "shadow"})
    gateway = {"name": "models", "namespace": "gateway", "host_suffix": "a.b", "mirrors": "traefik"}
    settings = {"gateway": gateway, "judge_url": "http://judge:9091"}
    ran = run(observed=seen(7, 7, "Succeeded", 7), settings=settings)
    service, router = ran.one("TraefikService", "churn-v8-shadow"), ran.one("IngressRoute", "churn-v8-shadow")
    assert {"churn", "churn-primary", "churn-canary"} <= service.depends_on
    assert "churn-v8-shadow" in router.depends_on
    # Nobody else writes them.
    assert (service.ignore_changes, router.ignore_changes) == ((), ())


def test_what_kserve_and_flagger_write_is_ignored_and_the_target_is_not(project, run):
    project.pinned(STABLE)
    ran = run()
    theirs = ("spec", "metadata.labels", "metadata.annotations")
    assert ran.one("InferenceService", "churn-v7").ignore_changes == theirs
    assert ran.one("Service", "churn-primary").ignore_changes == theirs
    assert ran.one("Service", "churn-canary").ignore_changes == theirs
    assert ran.one("Service", "churn").ignore_changes == ()
    assert ran.one("Canary", "churn").ignore_changes == ()


def test_only_the_canary_is_protected_and_only_where_the_environment_says_so(project, run):
    project.pinned(STABLE)
    assert [one.type for one in run().engine.registered if one.protect] == ["kubernetes:flagger.app/v1beta1:Canary"]
    assert not [one for one in run(settings={"protect": False}).engine.registered if one.protect]


def test_every_object_has_the_explicit_provider_of_the_environment(project, run):
    project.pinned(STABLE)
    ran = run(settings={"cluster": {"identifier": "other", "context": "there"}})
    (provider,) = [one for one in ran.engine.registered if one.type == "pulumi:providers:kubernetes"]
    assert provider.inputs["clusterIdentifier"] == "other"
    assert provider.inputs["context"] == "there"
    assert provider.inputs["upsertExistingObjects"] == "true"
    # As text: provider settings travel as JSON, which the SDK's own class does unseen.
    assert json.loads(provider.inputs["kubeClientSettings"])["timeout"] == 30
    assert {one.provider.rpartition("::")[0].rpartition("::")[2] for one in ran.objects} == {"staging"}
    assert {one.version for one in ran.objects} == {provider.version}


def test_without_a_kubeconfig_the_provider_gets_an_empty_one_and_no_ambient_one(project, run, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/somebody/elses/cluster")
    project.pinned(STABLE)
    (provider,) = [one for one in run().engine.registered if one.type == "pulumi:providers:kubernetes"]
    assert provider.inputs["kubeconfig"] == (
        '{"apiVersion": "v1", "kind": "Config", "clusters": [], "contexts": [], "users": []}'
    )


def test_each_model_says_url_release_digest_and_version(project, run):
    project.pinned(STABLE)
    gateway = {"name": "models", "namespace": "gateway-system", "host_suffix": "example.com", "scheme": "https"}
    ran = run(settings={"gateway": gateway})
    expected = {
        "url": "https://churn.example.com/v2/models/churn/infer",
        "release": STABLE.id,
        "digest": STABLE.artifact.digest,
        "version": 7,
    }
    assert ran.engine.outputs["churn"] == expected
    assert ran.engine.outputs["slipway-staging"]["models"] == {"churn": expected}


def test_the_metric_templates_are_registered_once_for_all_models(project, run):
    project.spec("alpha")
    project.spec("beta")
    releases = [a_release("alpha", 1), a_release("beta", 1)]
    project.releases(releases)
    project.pins("staging", **{release.model: Pin(stable=release.id) for release in releases})
    templates = [one for one in run().objects if one.type.endswith(":MetricTemplate")]
    assert [one.name for one in templates] == sorted({one.name for one in templates})
    assert {one.parent for one in templates} == {"staging"}


def test_models_are_registered_in_the_order_of_their_names_whatever_the_order_of_the_pins(project, run):
    releases = [a_release(name, 1) for name in ("zeta", "alpha", "mid")]
    for release in releases:
        project.spec(release.model)
    project.releases(releases)
    project.pins("staging", **{release.model: Pin(stable=release.id) for release in releases})
    models = [one.name for one in run().engine.registered if one.type == "slipway:model:Model"]
    assert models == ["alpha", "mid", "zeta"]


def test_an_environment_without_pins_says_so_and_registers_nothing(project, run):
    project.spec("churn")
    ran = run()
    assert ran.said["info"][-1] == "pins/staging.yaml: no such file, so no model runs in staging"
    assert [one.type for one in ran.engine.registered] == ["pulumi:pulumi:Stack"]
    assert ran.exit_status is None


def test_a_model_that_is_not_pinned_is_left_out_with_a_notice(project, run):
    project.pinned(STABLE)
    project.spec("fraud")
    ran = run()
    notices = [said for said in ran.said["info"] if "not pinned" in said]
    assert notices == ["models/fraud.yaml: not pinned in pins/staging.yaml, so it does not run in staging"]
    assert [one.name for one in ran.engine.registered if one.type == "slipway:model:Model"] == ["churn"]


def test_a_pinned_environment_imports_no_mlflow(project, run, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "mlflow" or name == "slipway.registry"]:
        monkeypatch.delitem(sys.modules, name)
    project.pinned(STABLE)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert run(observed=seen(7, 7, "Succeeded", 7)).exit_status is None
    assert not [name for name in sys.modules if name.split(".")[0] == "mlflow"]


def test_an_llm_comes_after_the_copy_of_its_weights(project, run):
    spec = {"serving": {"gpus": 1}, "llm": {"node_cache": {"node_groups": ["gpu"], "size": "40Gi"}}}
    project.pinned(STABLE)
    project.spec("churn", **spec)
    ran = run()
    service = ran.one("LLMInferenceService", "churn-v7")
    assert service.depends_on == {"churn-v7"}
    assert service.ignore_changes == ("spec", "metadata.labels", "metadata.annotations")
    assert ran.engine.outputs["churn"]["url"] == (
        "http://churn.staging.models.example.com/publishers/models/models/churn/v1/chat/completions"
    )
    assert not [one for one in ran.objects if one.type.endswith((":Canary", ":InferenceService"))]
