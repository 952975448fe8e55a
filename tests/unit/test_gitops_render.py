"""`slipway render`: a decision from the cluster becomes files; one program applies them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from builders import an_environment
from projects import Project
from rollouts import objects
from states import CANDIDATE, STABLE, seen
from typer.testing import CliRunner

from slipway.cli.root import app
from slipway.errors import ExitCode, SlipwayError
from slipway.gitops.render import refuse_changed_versions, tree_root
from slipway.planning import verification
from slipway.planning.guard import refuse_two_writers
from slipway.rollout import cluster
from slipway.rollout.observed import observe_all

GITOPS = {"repository": "https://git.example.com/manifests.git"}
TRACKED = {"argocd.argoproj.io/tracking-id": "models-churn:/Service:models/churn"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("SLIPWAY_PROJECT", str(tmp_path))
    project = Project(tmp_path)
    project.pinned(STABLE, CANDIDATE)
    settings = project.root / "Pulumi.staging.yaml"
    content = yaml.safe_load(settings.read_text())
    content["config"] |= {"slipway:delivery": "gitops", "slipway:gitops": GITOPS}
    settings.write_text(yaml.safe_dump(content))
    monkeypatch.setattr(cluster, "connect", lambda *_: None)
    monkeypatch.setattr(verification, "verify", lambda _: [])
    return project


def rendered(monkeypatch: pytest.MonkeyPatch, *options: str, status: int = 0, **observed: object) -> dict[str, str]:
    monkeypatch.setattr(cluster, "observe", lambda *_: observed)
    answer = CliRunner().invoke(app, ["render", "-s", "staging", "--json", *options])
    assert answer.exit_code == status, answer.output
    return {row["file"]: row["what"] for row in json.loads(answer.stdout)["changes"]}


def selected(project: Project) -> str:
    target = project.root / "manifests/staging/models/churn/20-service-churn.yaml"
    return str(yaml.safe_load(target.read_text())["spec"]["selector"]["app"])


def test_a_first_delivery_brings_the_stable_release_in_front_of_nobody_s_candidate(project, monkeypatch) -> None:
    assert "staging/models/churn/10-inferenceservice-churn-v8.yaml" in rendered(monkeypatch)
    assert selected(project) == "isvc.churn-v7-predictor"


def test_one_commit_brings_a_candidate_with_the_target_that_moves_to_it(project, monkeypatch) -> None:
    rendered(monkeypatch)
    assert rendered(monkeypatch, **seen(7, 7, "Initialized")) == {
        "staging/models/churn/20-service-churn.yaml": "change",
        "staging/index.json": "change",
    }
    assert selected(project) == "isvc.churn-v8-predictor"
    # In mid-rollout, and after it, the same.
    assert rendered(monkeypatch, **seen(7, 8, "Progressing")) == {}
    assert rendered(monkeypatch, **seen(8, 8, "Succeeded")) == {}


def test_a_target_is_held_back_so_that_a_rollout_can_be_retried(project, monkeypatch) -> None:
    rendered(monkeypatch, **seen(7, 8, "Failed"))
    rendered(monkeypatch, "--hold-back", "churn", **seen(7, 8, "Failed"))
    assert selected(project) == "isvc.churn-v7-predictor"


def test_a_check_writes_nothing_but_says_so(project, monkeypatch) -> None:
    assert rendered(monkeypatch, "--check", status=1)
    assert not (project.root / "manifests").exists()
    rendered(monkeypatch)
    assert rendered(monkeypatch, "--check") == {}


def test_bytes_that_are_not_the_release_s_are_not_delivered(project, monkeypatch) -> None:
    monkeypatch.setattr(verification, "verify", lambda releases: [SlipwayError(f"{releases[0].id}: other bytes")])
    monkeypatch.setattr(cluster, "observe", lambda *_: seen(7, 7, "Succeeded", 7))
    answer = CliRunner().invoke(app, ["render", "-s", "staging"])
    assert str(answer.exception) == f"{CANDIDATE.id}: other bytes"
    assert not (project.root / "manifests").exists()


def test_a_rollout_under_way_lets_no_other_target_into_the_tree(project, monkeypatch) -> None:
    monkeypatch.setattr(cluster, "observe", lambda *_: seen(7, 7, "Progressing"))
    answer = CliRunner().invoke(app, ["render", "-s", "staging"])
    assert isinstance(answer.exception, SlipwayError)
    assert answer.exception.exit_code is ExitCode.BUSY


def test_an_environment_that_pulumi_delivers_has_no_tree(project) -> None:
    answer = CliRunner().invoke(app, ["render", "-s", "dev"])
    assert str(answer.exception) == (
        "Pulumi.dev.yaml: slipway:delivery: direct: there is no tree to write; `slipway up` applies"
    )


def test_the_tree_is_in_the_directory_of_the_checkout_that_is_set(tmp_path) -> None:
    gitops = {**GITOPS, "checkout": "manifests-repository", "directory": "clusters/ml"}
    environment = an_environment(delivery="gitops", gitops=gitops)
    with pytest.raises(SlipwayError, match=r"gitops.checkout: no such directory .*manifests-repository; clone https"):
        tree_root(tmp_path, environment)
    (tmp_path / "manifests-repository").mkdir()
    assert tree_root(tmp_path, environment) == tmp_path / "manifests-repository/clusters/ml"


def test_a_lost_file_does_not_change_a_version_that_runs(project, monkeypatch) -> None:
    running = seen(7, 7, "Succeeded", 7, 8)["churn"]
    # The states of the tests say that they run with a digest of nothing but zeros.
    rendered(monkeypatch)
    file = project.root / "manifests/staging/models/churn/10-inferenceservice-churn-v7.yaml"
    with pytest.raises(SlipwayError, match="churn-v7 runs with other serving settings"):
        refuse_changed_versions({"x/10-inferenceservice-churn-v7.yaml": file.read_text()}, running)


def test_a_repository_must_be_named() -> None:
    with pytest.raises(SlipwayError, match="gitops: missing; delivery by gitops needs the repository"):
        an_environment(delivery="gitops")
    assert an_environment(delivery="gitops", gitops=GITOPS).gitops.revision == "main"
    # Pulumi asks for every setting of its schema that has no default.
    assert an_environment(gitops={}).gitops is None


def test_who_applies_a_model_is_read_from_its_objects_but_not_from_the_pair() -> None:
    found = objects()
    pair = [it for it in found if it["metadata"]["name"].endswith(("-primary", "-canary"))]
    for each in pair:
        each["metadata"]["annotations"] = TRACKED  # Flagger copies them from the target.
    assert observe_all(["churn"], found)["churn"].appliers == {"Pulumi"}
    canary = next(it for it in found if it["kind"] == "Canary")
    canary["metadata"]["annotations"] = TRACKED
    assert observe_all(["churn"], found)["churn"].appliers == {"Pulumi", "Argo CD"}


@pytest.mark.parametrize(("delivery", "other"), [("direct", "Argo CD"), ("gitops", "Pulumi")])
def test_a_second_program_that_applies_is_refused(delivery: str, other: str) -> None:
    environment = an_environment(delivery=delivery, gitops=GITOPS)
    model = replace(seen(7, 7, "Succeeded", 7)["churn"], appliers=frozenset({other}))
    with pytest.raises(SlipwayError, match=rf"delivery: {delivery} has .* but {other} applies churn already"):
        refuse_two_writers(environment, {"churn": model})
    ours = {"direct": "Pulumi", "gitops": "Argo CD"}[delivery]
    refuse_two_writers(environment, {"churn": replace(model, appliers=frozenset({ours}))})
