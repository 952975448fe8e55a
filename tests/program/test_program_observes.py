"""What the program does with what the cluster and the artifact store show."""

from __future__ import annotations

import re

import pytest
from states import CANDIDATE, STABLE, seen

from slipway import registry
from slipway.errors import ExitCode, SlipwayError
from slipway.models.pins import Pin
from slipway.planning import environment as planning
from slipway.planning import regions
from slipway.rollout.observed import ObservedModel
from stacks.environment import TOLD


def test_a_target_is_not_moved_while_a_rollout_is_under_way(project, run):
    project.pinned(STABLE)
    ran = run(observed=seen(7, 8, "Progressing", 7, 8))
    assert re.search(r"churn: the rollout of churn-v8 is Progressing.*wait until", ran.said["error"][0])
    assert ran.exit_status == TOLD
    assert not ran.objects


def test_in_the_middle_of_a_rollout_the_same_objects_are_declared_as_at_its_start(project, run):
    project.pinned(STABLE, CANDIDATE)

    def declared(observed):
        # By name: which of two that wait for nothing reaches the engine first is up to their threads.
        return {(one.type, one.name): one for one in run(observed=observed).objects}

    start = declared(seen(7, 7, "Succeeded", 7))
    assert declared(seen(7, 8, "Progressing", 7, 8)) == start
    assert declared(seen(7, 8, "Failed", 7, 8)) == start


def test_a_cluster_that_is_away_lets_a_preview_go_on_with_one_warning(project, run):
    project.pinned(STABLE)
    ran = run(settings={"cluster": {"identifier": "staging", "kubeconfig": "missing.yaml"}})
    (said,) = ran.said["warning"]
    assert "Pulumi.staging.yaml: slipway:cluster.kubeconfig: no such file missing.yaml" in said
    assert ran.exit_status is None
    assert ran.one("InferenceService", "churn-v7")


def test_a_cluster_that_is_away_stops_an_up_before_anything_is_registered(project, run):
    project.pinned(STABLE)
    ran = run(preview=False)
    assert "Pulumi.staging.yaml: slipway:cluster.kubeconfig: missing" in ran.said["error"][0]
    assert ran.exit_status == TOLD
    assert [one.type for one in ran.engine.registered] == ["pulumi:pulumi:Stack"]


@pytest.fixture
def bytes_are(monkeypatch):
    """Answer for the artifact store; returns the releases that were asked for."""

    def answer(error: SlipwayError | None) -> list[str]:
        asked: list[str] = []

        def verify(release):
            asked.append(release.id)
            if error:
                raise error

        monkeypatch.setattr(registry, "verify", verify)
        return asked

    return answer


def running(project, run, monkeypatch, observed, **options):
    monkeypatch.setattr(regions, "observe", lambda *_: observed)
    return run(**options)


def test_the_bytes_of_a_release_are_hashed_only_before_it_first_runs(project, run, monkeypatch, bytes_are):
    asked = bytes_are(None)
    project.pinned(STABLE, CANDIDATE)
    assert running(project, run, monkeypatch, seen(7, 7, "Succeeded", 7)).exit_status is None
    assert asked == [CANDIDATE.id]
    asked.clear()
    running(project, run, monkeypatch, seen(7, 8, "Progressing", 7, 8))
    assert asked == []


@pytest.mark.parametrize("preview", [True, False])
def test_changed_bytes_stop_a_preview_and_an_up(project, run, monkeypatch, bytes_are, preview):
    bytes_are(SlipwayError("releases/churn/x.yaml: artifact.digest: artifact changed since it was pinned"))
    project.pinned(STABLE)
    ran = running(project, run, monkeypatch, {"churn": ObservedModel()}, preview=preview)
    assert ran.said["error"] == ["releases/churn/x.yaml: artifact.digest: artifact changed since it was pinned"]
    assert not ran.objects


def test_a_store_that_is_away_warns_a_preview_once_and_stops_an_up(project, run, monkeypatch, bytes_are):
    asked = bytes_are(SlipwayError("s3://b: cannot be reached", ExitCode.UNREACHABLE))
    project.pinned(STABLE, CANDIDATE)
    unseen = {"churn": ObservedModel()}
    ran = running(project, run, monkeypatch, unseen)
    assert len(ran.said["warning"]) == len(asked) == 1
    assert ran.exit_status is None
    ran = running(project, run, monkeypatch, unseen, preview=False)
    assert ran.said["error"] == ["s3://b: cannot be reached"]
    assert not ran.objects


def test_a_rollout_that_is_about_to_begin_is_told_with_its_time_once(project, run):
    project.pinned(STABLE, CANDIDATE)
    ran = run(observed=seen(7, 7, "Succeeded", 7))
    told = [said for said in ran.said["info"] if "rolls out" in said]
    assert told == [
        f"churn: {CANDIDATE.id} rolls out: 10% for 60 s, 25% for 60 s, 50% for 60 s, 100% for 60 s;"
        " about 330 s until it is promoted, at 20 requests a second"
    ]
    ran = run(observed=seen(7, 8, "Progressing", 7, 8))
    assert not [said for said in ran.said["info"] if "rolls out" in said]


def test_a_model_is_compiled_once(project, run, monkeypatch):
    project.pinned(STABLE)
    compiled, real = [], planning.compile_model

    def compile_model(spec, *others):
        compiled.append(spec.name)
        return real(spec, *others)

    monkeypatch.setattr(planning, "compile_model", compile_model)
    assert run(observed=seen(7, 7, "Succeeded", 7)).objects
    assert compiled == ["churn"]


def test_other_serving_settings_are_noticed_and_change_nothing(project, run):
    project.pinned(STABLE)
    ran = run(observed=seen(7, 7, "Succeeded", 7))
    assert any("churn-v7: serving settings have changed" in said for said in ran.said["info"])


def test_a_following_environment_takes_the_alias_as_candidate_of_what_is_live(project, run, monkeypatch):
    class Registry:
        def __init__(self, uri):
            assert uri == "http://mlflow.example.com"

        def resolve(self, specs, alias):
            assert alias == "trial"
            return {"churn": CANDIDATE}

        def running(self, specs, versions):
            assert versions == {"churn": 7}
            return {"churn": STABLE}

        def rejections(self, environment):
            return {"churn": rejected}

    monkeypatch.setattr(registry, "Registry", Registry)
    project.spec("churn", rollout={"requests_per_second": 20})
    rejected = {8: "it lies"}
    settings = {"alias": "trial", "registry": {"tracking_uri": "http://mlflow.example.com"}}
    ran = run("local", observed=seen(7, 7, "Failed", 7), settings=settings)
    assert f"churn: {CANDIDATE.id} was rejected (it lies); {STABLE.id} stays" in ran.said["info"]
    assert not [one for one in ran.objects if one.name == "churn-v8"]
    rejected = {}
    ran = run("local", observed=seen(7, 7, "Succeeded", 7), settings=settings)
    assert ran.exit_status is None, ran.said
    assert ran.one("Service", "churn").depends_on == {"churn-v8"}
    assert ran.one("InferenceService", "churn-v7")
    assert not ran.one("Canary", "churn").protect


def test_every_environment_of_the_checkout_compiles_every_model(project, run):
    project.spec("churn", rollout={"requests_per_second": 200})
    project.releases([STABLE])
    for stack in ("staging", "prod"):
        project.pins(stack, churn=Pin(stable=STABLE.id))
        ran = run(stack)
        assert ran.exit_status is None, ran.said
        host = {"staging": "churn.staging.models.example.com", "prod": "churn.models.example.com"}[stack]
        assert ran.one("Canary", "churn").inputs["spec"]["service"]["hosts"] == [host]


def test_a_lost_pins_file_takes_nothing_down(project, run):
    project.spec("churn")
    ran = run(observed=seen(7, 7, "Succeeded", 7))
    assert ran.said["error"] == [
        "pins/staging.yaml: no such file, yet staging serves churn; restore it (to take everything down:"
        " `pulumi destroy`)"
    ]
    assert ran.exit_status == TOLD
