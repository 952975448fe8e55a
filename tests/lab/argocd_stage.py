"""A lab with Argo CD, which delivers from a repository on this machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from projects import Project
from running_lab import Lab, running_lab

from slipway.lab import platform

API = "argoproj.io/v1alpha1"
APPLICATION = (API, "Application")
NAMESPACE = "argocd"
#: Seconds in which a delivery is through, with the lab's first listing of all kinds, on two busy cores.
SYNC = 240
GIT_PORT = 9418
#: As Argo CD's pods see it.
URL = "git://git.default/manifests"


@dataclass(frozen=True)
class Delivering:
    """A lab whose Argo CD delivers.

    Args:
        lab: The lab.
        repository: What it delivers from, a working copy.
    """

    lab: Lab
    repository: Path

    def commit(self, message: str) -> str:
        """Commit everything, tell Argo CD as a webhook would; returns the commit."""
        git(self.repository, "add", "--all")
        git(self.repository, "commit", "--quiet", "--message", message)
        for now in (None, "true"):
            asked = {"metadata": {"annotations": {"argocd.argoproj.io/application-set-refresh": now}}}
            self.lab.kube.patch(API, "ApplicationSet", "model-serving", NAMESPACE, asked)
        asked = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}
        for each in self.lab.kube.list(*APPLICATION, NAMESPACE):
            self.lab.kube.patch(*APPLICATION, each["metadata"]["name"], NAMESPACE, asked)
        return git(self.repository, "rev-parse", "HEAD")

    def synced(self, name: str, commit: str) -> dict[str, Any]:
        """Return an Application once a commit is delivered."""

        def done(status: dict[str, Any]) -> bool:
            state = status.get("operationState", {})
            delivered = state.get("syncResult", {}).get("revision") == commit and state["phase"] == "Succeeded"
            return bool(delivered and status["sync"]["status"] == "Synced")

        return self._once(name, done)

    def failed(self, name: str, commit: str) -> str:
        """Return what is said of the first try to deliver a commit, once it has failed; there is no second."""

        def over(status: dict[str, Any]) -> bool:
            state = status.get("operationState", {})
            tried = state.get("retryCount") or state.get("phase") in ("Failed", "Error")
            return bool(tried and state.get("syncResult", {}).get("revision") == commit)

        said = str(self._once(name, over)["operationState"]["message"])
        # As `argocd app terminate-op` does.
        ended = {"status": {"operationState": {"phase": "Terminating"}}}
        self.lab.kube.patch(*APPLICATION, name, NAMESPACE, ended)
        self._once(name, lambda status: status["operationState"]["phase"] in ("Failed", "Error"))
        return said

    def health(self, name: str, *wanted: str) -> dict[str, Any]:
        """Return the status of an Application once its health is one of these."""
        return self._once(name, lambda status: status.get("health", {}).get("status") in wanted)

    def looked(self, name: str) -> dict[str, Any]:
        """Have Argo CD compare all of an Application anew; returns it as it is then."""
        asked = "argocd.argoproj.io/refresh"
        self.lab.kube.patch(*APPLICATION, name, NAMESPACE, {"metadata": {"annotations": {asked: "hard"}}})
        return self.lab.kube.wait_for(
            *APPLICATION, name, NAMESPACE, lambda it: asked not in it["metadata"].get("annotations", {}), timeout=SYNC
        )

    def _once(self, name: str, holds: Any) -> dict[str, Any]:
        found = self.lab.kube.wait_for(
            *APPLICATION, name, NAMESPACE, lambda it: holds(it.get("status", {})), timeout=2 * SYNC
        )
        return dict(found["status"])


@contextmanager
def delivering_lab(home: Path) -> Iterator[Delivering]:
    """Run a lab with Argo CD, installed by the program itself, for models that come by Git."""
    repository = home / "repositories" / "manifests"
    repository.mkdir(parents=True)
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "commit", "--quiet", "--allow-empty", "--message=nothing yet")
    (home / "lab").mkdir()
    with running_lab(home / "lab") as lab:
        platform.ensure_tools(["argocd"])
        settings = Project(lab.project).root / "Pulumi.local.yaml"
        content = yaml.safe_load(settings.read_text())
        # The stack of the platform has another name than that of the models.
        content["config"] |= by_git(repository, stacks=["local"])
        settings.write_text(yaml.safe_dump(content))
        _serve(lab, repository.parent)
        platform.deploy(lab.project, ["argocd"])
        yield Delivering(lab, repository)


def by_git(repository: Path, **more: Any) -> dict[str, Any]:
    """Return the settings of a stack that is delivered from the repository."""
    return {
        "slipway:delivery": "gitops",
        "slipway:gitops": {"repository": URL, "checkout": str(repository), **more},
    }


def git(repository: Path, *arguments: str) -> str:
    """Run git in a repository."""
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    done = subprocess.run(["git", *identity, *arguments], cwd=repository, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _serve(lab: Lab, directory: Path) -> None:
    """Have a pod serve all repositories of a directory of this machine."""
    labels = {"app": "git"}
    flags = ["--export-all", f"--base-path={directory}", "--reuseaddr"]
    container = {"name": "git", "image": "busybox:1", "command": ["git", "daemon", *flags]}
    metadata = {"name": "git", "namespace": "default", "labels": labels}
    lab.kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}})
    ports = [{"port": GIT_PORT, "targetPort": GIT_PORT}]
    spec = {"selector": labels, "ports": ports}
    lab.kube.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
