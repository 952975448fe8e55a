"""What the program registers where the models come by Git."""

from __future__ import annotations

from dataclasses import replace

from states import CANDIDATE, STABLE, seen

from stacks.environment import TOLD

GITOPS = {
    "delivery": "gitops",
    "gitops": {"repository": "https://git.example.com/manifests.git", "directory": "clusters"},
}


def test_pulumi_makes_only_the_pair_that_flagger_takes_over(project, run):
    project.pinned(STABLE)
    ran = run(settings=GITOPS)
    assert [(one.type, one.name) for one in ran.objects] == [
        ("kubernetes:core/v1:Service", "churn-primary"),
        ("kubernetes:core/v1:Service", "churn-canary"),
    ]
    for one in ran.objects:
        assert one.ignore_changes == ("spec", "metadata.labels", "metadata.annotations")
        assert one.protect  # users come through it


def test_a_model_says_which_release_is_delivered_from_where(project, run):
    project.pinned(STABLE, CANDIDATE)
    ran = run(settings=GITOPS, observed=seen(7, 7, "Succeeded"))
    assert ran.engine.outputs["churn"] == {
        "url": "http://churn.staging.models.example.com/v2/models/churn/infer",
        "release": CANDIDATE.id,
        "digest": CANDIDATE.artifact.digest,
        "version": 8,
        "path": "clusters/staging/models/churn",
    }


def test_a_preview_names_the_files_that_are_not_written_yet(project, run):
    project.pinned(STABLE, CANDIDATE)
    observed = {"churn": replace(seen(7, 7, "Succeeded", 7)["churn"], services={})}
    said = run(settings=GITOPS, observed=observed).said["info"]
    assert "staging/models/churn/20-service-churn.yaml: to add" in said
    assert said[-1] == "Argo CD applies these when they are written and committed: slipway render -s staging"


def test_a_model_that_argo_cd_applies_is_not_applied_by_pulumi_too(project, run):
    project.pinned(STABLE)
    tracked = {"churn": replace(seen(7, 7, "Succeeded", 7)["churn"], appliers=frozenset({"Argo CD"}))}
    ran = run(observed=tracked)
    assert ran.exit_status == TOLD
    assert not ran.engine.registered[1:]
    assert "hand them over first" in ran.said["error"][0]


def test_a_shadow_that_the_judge_ends_is_not_delivered_by_git(project, run):
    project.pinned(STABLE)
    project.spec("churn", rollout={"requests_per_second": 20, "strategy": "shadow"})
    gateway = {"name": "models", "namespace": "gateway", "host_suffix": "a.b", "mirrors": "traefik"}
    ran = run(settings={**GITOPS, "gateway": gateway, "judge_url": "http://judge:9091"})
    assert ran.exit_status == TOLD
    assert "which Argo CD would make again" in ran.said["error"][0]
