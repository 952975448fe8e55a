"""A whole rollout by commits alone: Argo CD applies with self-heal on, Flagger moves the traffic, neither undoes it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from argocd_stage import APPLICATION, Delivering, delivering_lab
from argocd_stage import by_git as settings
from live_rollouts import DIABETES, REGISTER, Round, users
from local_stack import CANARY, ISVC, SERVICE, UP, Stack

from slipway.clients.kube import KubeError
from slipway.rollout.cluster import ROUTE

pytestmark = pytest.mark.platform

CLI = (sys.executable, "-c", "from slipway.cli import main; main()")
APP = f"models-{DIABETES}"
STABLE, CANDIDATE, BAD = f"{DIABETES}-v2", f"{DIABETES}-v3", f"{DIABETES}-v4"


@dataclass
class Delivered(Round):
    """What happened, with what Argo CD did."""

    deliveries: list[dict[str, Any]] = field(default_factory=list)

    def operations(self) -> list[tuple[str, str]]:
        """Return when each operation of Argo CD started, with its commit; the one before comes first."""
        states = [it["status"]["operationState"] for it in self.deliveries if "operationState" in it["status"]]
        return list({each["startedAt"]: each["operation"]["sync"]["revision"] for each in states}.items())


@dataclass
class GitStack:
    """A stack whose models come by Git."""

    stack: Stack
    argocd: Delivering

    def slipway(self, *arguments: str) -> Any:
        """Run a command; returns what it says."""
        environ = {**self.stack.env, "SLIPWAY_PROJECT": str(self.stack.root)}
        command = [*CLI, *arguments, "--stack=local", "--json"]
        done = subprocess.run(command, cwd=self.stack.root, env=environ, capture_output=True, text=True, timeout=UP)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def render(self) -> list[str]:
        """Write the tree; returns what has changed."""
        return [f"{row['what']} {Path(row['file']).name}" for row in self.slipway("render")["changes"]]

    def deliver(self, message: str) -> str:
        """Write the tree, commit it; returns the commit."""
        assert self.render()
        return self.argocd.commit(message)

    def repaired(self) -> str:
        """Turn off what takes a candidate back; returns the phase in which Argo CD has turned it on again."""
        kube = self.stack.kube
        kube.patch(*CANARY, DIABETES, "models", {"spec": {"analysis": {"threshold": 99}}})
        healed = kube.wait_for(
            *CANARY, DIABETES, "models", lambda it: it["spec"]["analysis"]["threshold"] == 2, timeout=60
        )
        return str(healed["status"]["phase"])


@pytest.fixture(scope="module")
def by_git(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitStack]:
    with delivering_lab(tmp_path_factory.mktemp("argocd")) as argocd:
        root = tmp_path_factory.mktemp("gitops")
        stack = Stack(argocd.lab, root)
        stack.set(**{key.removeprefix("slipway:"): value for key, value in settings(argocd.repository).items()})
        # The commands of stack `local` take the lab of the project that they run in.
        (root / ".slipway").mkdir()
        (root / ".slipway" / "lab").symlink_to(argocd.lab.paths.lab)
        (root / ".slipway" / "mlflow.db").symlink_to(root / "mlflow.db")
        yield GitStack(stack, argocd)


@pytest.fixture(scope="module")
def first(by_git: GitStack) -> str:
    """The first delivery: nothing is there but the pair."""
    by_git.stack.up()
    commit = by_git.deliver("first")
    by_git.stack.phase("Initialized")
    return commit


@pytest.fixture(scope="module")
def rollout(by_git: GitStack, first: str) -> Delivered:
    """A candidate comes by one commit; meanwhile somebody turns off what would take it back."""
    stack, seen = by_git.stack, Delivered()
    seen.changes.follow(stack, ROUTE, SERVICE, CANARY, ISVC)
    _follow(by_git, seen.deliveries)
    with users(stack.lab, DIABETES):
        stack.promote(3)
        seen.seen["changes"] = by_git.render()
        seen.seen["commit"] = by_git.argocd.commit("v3 is a candidate")
        stack.phase("Progressing")
        seen.seen["health"] = by_git.argocd.health(APP, "Progressing", "Degraded")["health"]["status"]
        seen.seen["healed in"] = by_git.repaired()
        seen.seen["render in mid-rollout"] = by_git.render()
        stack.primary_selects(CANDIDATE)
        seen.end(stack, DIABETES)
    seen.seen["application"] = by_git.argocd.health(APP, "Healthy")
    return seen


@pytest.fixture(scope="module")
def retired(by_git: GitStack, rollout: Delivered) -> None:
    """What the rollout has left over goes by a commit."""
    by_git.argocd.synced(APP, by_git.deliver("v2 is retired"))


@pytest.fixture(scope="module")
def failed(by_git: GitStack, retired: None) -> Delivered:
    """A candidate that cannot answer users comes by one commit, and goes by another when somebody has rejected it."""
    stack, argocd, seen = by_git.stack, by_git.argocd, Delivered()
    seen.changes.follow(stack, ROUTE, SERVICE)
    _follow(by_git, seen.deliveries)
    stack.python(REGISTER, DIABETES)
    with users(stack.lab, DIABETES):
        stack.promote(4)
        tried = by_git.deliver("v4 is a candidate")
        argocd.synced(APP, tried)
        stack.ended(BAD)
        seen.seen["health"] = argocd.health(APP, "Suspended")["health"]["status"]
        seen.seen["looked"] = argocd.looked(APP)
        seen.seen["before the repair"] = seen.operations()[1:]
        seen.seen["healed in"] = by_git.repaired()
        argocd.synced(APP, tried)
        seen.end(stack, DIABETES)
        seen.seen["said"] = by_git.slipway("rollout", "rollback", DIABETES)["done"]
        (seen.seen["row"],) = by_git.slipway("rollout", "status", DIABETES)["models"]
        seen.seen["changes"] = by_git.render()
        gone = argocd.commit("v4 is rejected")
        argocd.synced(APP, gone)
        argocd.health(APP, "Healthy")
    seen.seen["commits"] = tried, gone
    return seen


def _follow(by_git: GitStack, into: list[dict[str, Any]]) -> None:
    """Collect every state of the model's Application."""

    def listen() -> None:
        with suppress(KubeError):
            for _, found in by_git.stack.kube.watch(*APPLICATION, "argocd", timeout_seconds=3600):
                if found["metadata"]["name"] == APP:
                    into.append(found)

    threading.Thread(target=listen, daemon=True).start()


def test_the_first_commit_brings_a_model_that_serves(by_git: GitStack, first: str) -> None:
    assert by_git.argocd.synced(APP, first)["resources"]
    assert by_git.stack.served(DIABETES) == STABLE
    assert by_git.stack.up("--expect-no-changes")


def test_one_commit_is_a_whole_rollout(rollout: Delivered) -> None:
    assert rollout.seen["changes"] == [
        f"add 10-inferenceservice-{CANDIDATE}.yaml",
        f"change 20-service-{DIABETES}.yaml",
        "change index.json",
    ]
    assert (rollout.phases[DIABETES], rollout.served[DIABETES]) == ("Succeeded", CANDIDATE)
    assert rollout.shares[DIABETES].primary.failed == rollout.shares[DIABETES].canary.failed == 0


def test_the_target_moves_when_the_candidate_is_ready(rollout: Delivered) -> None:
    ready = next(
        at
        for at, it in rollout.changes.of("InferenceService", CANDIDATE)
        if any(c["type"] == "Ready" and c["status"] == "True" for c in it.get("status", {}).get("conditions", []))
    )
    moved = next(at for at, service in rollout.changes.selected(DIABETES) if service == CANDIDATE)
    assert ready <= moved


def test_argo_cd_heals_in_mid_rollout_what_is_its_own(rollout: Delivered) -> None:
    assert rollout.seen["healed in"] == "Progressing"


def test_argo_cd_and_flagger_never_undo_each_other(rollout: Delivered) -> None:
    weights = [canary for _, _, canary in rollout.changes.weights(DIABETES)]
    assert weights == [0, 10, 50, 100, 0]
    assert [service for _, service in rollout.changes.selected(DIABETES)] == [STABLE, CANDIDATE]
    assert [service for _, service in rollout.changes.selected(f"{DIABETES}-primary")] == [STABLE, CANDIDATE]
    # By field managers it cannot be seen: Flagger copies those of the target into the pair, with all its metadata.
    applied = {(it["kind"], it["name"]) for it in rollout.seen["application"]["resources"]}
    assert applied == {
        ("InferenceService", STABLE),
        ("InferenceService", CANDIDATE),
        ("Service", DIABETES),
        ("Canary", DIABETES),
    }
    # One delivery of the commit, one repair of what somebody had changed: nothing was applied for Flagger's sake.
    assert len(rollout.operations()[1:]) == 2


def test_a_rollout_under_way_is_shown_as_such_and_changes_no_file(rollout: Delivered) -> None:
    assert rollout.seen["health"] == "Progressing"
    assert rollout.seen["render in mid-rollout"] == []


def test_a_settled_rollout_is_tidied_up_by_a_commit(by_git: GitStack, retired: None) -> None:
    assert [it["metadata"]["name"] for it in by_git.stack.kube.list(*ISVC, "models")] == [CANDIDATE]
    assert by_git.stack.served(DIABETES) == CANDIDATE


def test_flagger_takes_back_a_bad_candidate_that_a_commit_has_brought(failed: Delivered) -> None:
    assert (failed.phases[DIABETES], failed.served[DIABETES]) == ("Failed", CANDIDATE)
    assert failed.shares[DIABETES].canary.failed > 0
    assert failed.shares[DIABETES].primary.failed == 0


def test_argo_cd_leaves_it_taken_back_even_while_it_heals(failed: Delivered) -> None:
    tried, gone = failed.seen["commits"]
    looked = failed.seen["looked"]
    assert (looked["status"]["sync"]["status"], failed.seen["health"]) == ("Synced", "Suspended")
    # Its own look at what Flagger has done started nothing; one repair, of what somebody had changed, did not either.
    assert [commit for _, commit in failed.seen["before the repair"]] == [tried]
    assert "operation" not in looked
    assert failed.seen["healed in"] == "Failed"
    commits = [commit for _, commit in failed.operations()[1:]]
    # What comes after a delivery that prunes is not looked at: Argo CD may prune again what it has not yet seen go.
    assert commits[: commits.index(gone)] == [tried, tried]
    assert [canary for _, _, canary in failed.changes.weights(DIABETES)] == [0, 10, 0]
    assert [service for _, service in failed.changes.selected(f"{DIABETES}-primary")] == [CANDIDATE]


def test_a_rejection_reaches_the_cluster_by_a_commit(by_git: GitStack, failed: Delivered) -> None:
    assert failed.seen["said"][-1] == (
        "the next commit (`slipway render -s local`) points the target back to v3, removes v4"
    )
    assert (failed.seen["row"]["situation"], failed.seen["row"]["next"]) == ("failed", "render")
    assert failed.seen["changes"] == [
        f"remove 10-inferenceservice-{BAD}.yaml",
        f"change 20-service-{DIABETES}.yaml",
        "change index.json",
    ]
    assert [service for _, service in failed.changes.selected(DIABETES)] == [CANDIDATE, BAD, CANDIDATE]
    assert [it["metadata"]["name"] for it in by_git.stack.kube.list(*ISVC, "models")] == [CANDIDATE]


def test_servers_that_never_get_ready_get_no_target_whatever_is_committed_besides(
    by_git: GitStack, rollout: Delivered
) -> None:
    argocd, home = by_git.argocd, by_git.argocd.repository / "manifests" / "local" / "models" / DIABETES
    broken = f"{DIABETES}-v9"
    text = (home / f"10-inferenceservice-{CANDIDATE}.yaml").read_text()
    (home / f"10-inferenceservice-{broken}.yaml").write_text(
        re.sub(r"storageUri: .*", "storageUri: s3://nowhere/at/all", text).replace(CANDIDATE, broken)
    )
    target = home / f"20-service-{DIABETES}.yaml"
    target.write_text(target.read_text().replace(CANDIDATE, broken))
    for commit in (argocd.commit("a candidate that cannot be loaded"), None):
        if commit is None:
            canary = home / f"30-canary-{DIABETES}.yaml"
            canary.write_text(canary.read_text().replace("threshold: 2", "threshold: 3"))
            commit = argocd.commit("something else")
        assert "completed unsuccessfully" in argocd.failed(APP, commit)
    assert broken not in [service for _, service in rollout.changes.selected(DIABETES)]
    assert by_git.stack.served(DIABETES) == CANDIDATE
