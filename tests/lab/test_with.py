"""`slipway lab up --with`: parts of the platform in a lab that runs, which keep what they had when it starts again."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from projects import Project
from running_lab import Lab, running_lab

from slipway.lab import lifecycle

pytestmark = pytest.mark.platform

Object = dict[str, Any]
COMMAND = "import sys; from slipway.cli import main; sys.argv[0] = 'slipway'; main()"
#: Makes an experiment unless it is there, once without a login; prints what MLflow says.
EXPERIMENT = """
import sys, time, urllib.request
def ask(path, **more):
    request = urllib.request.Request("http://mlflow.mlflow:5000/api/2.0/mlflow/experiments/" + path, **more)
    while True:
        try:
            return " ".join(urllib.request.urlopen(request, timeout=30).read().decode().split())
        except urllib.error.HTTPError as error:
            return f"{error.code}"
        except OSError:
            time.sleep(0.5)  # it is not ready again yet
login = {"Authorization": "Basic " + sys.argv[1], "Content-Type": "application/json"}
print(ask("get-by-name?experiment_name=of-the-test"))
print(ask("create", data=b'{"name": "of-the-test"}', headers=login))
print(ask("get-by-name?experiment_name=of-the-test", headers=login))
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    root = tmp_path_factory.mktemp("with")
    with running_lab(root) as lab:
        Project(root)
        yield lab


def up(lab: Lab, part: str) -> str:
    command = [sys.executable, "-c", COMMAND, "lab", "up", "--with", part]
    done = subprocess.run(
        command, env={**os.environ, "SLIPWAY_PROJECT": str(lab.project)}, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask_mlflow(lab: Lab, pod: str) -> list[str]:
    """Ask as a pod does: MLflow answers only who calls it by a name that it knows."""
    login = base64.b64encode(f"admin:{lab.facts.secret_key}".encode()).decode()
    container = {"name": "main", "image": "busybox:1", "command": [sys.executable, "-c", EXPERIMENT, login]}
    spec = {"containers": [container], "restartPolicy": "Never"}
    lab.kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "namespace": "models"}, "spec": spec})
    lab.kube.wait_for("v1", "Pod", pod, "models", lambda pod: pod["status"]["phase"] == "Succeeded", timeout=120)
    return (lab.paths.kubelet / "pods" / f"models_{pod}" / "main.log").read_text().splitlines()


def available(deployment: Object) -> bool:
    return bool(deployment["status"].get("availableReplicas", 0) == deployment["spec"]["replicas"])


def test_mlflow_lets_in_who_logs_in_and_puts_models_where_they_are_served_from(lab: Lab) -> None:
    assert "install mlflow" in up(lab, "mlflow")
    stranger, created, found = ask_mlflow(lab, "first")
    assert stranger == "401"
    assert "experiment_id" in created
    assert '"artifact_location": "s3://mlflow/registry/' in found


def test_another_part_comes_beside_those_that_are_there(lab: Lab) -> None:
    assert "install argocd, mlflow" in up(lab, "argocd")
    deployments = [each for space in ("argocd", "mlflow") for each in lab.kube.list("apps/v1", "Deployment", space)]
    assert {"argocd-server", "argocd-repo-server", "argocd-redis", "mlflow"} <= {
        each["metadata"]["name"] for each in deployments if available(each)
    }


def test_a_lab_that_starts_again_brings_its_parts_back_with_what_they_kept(lab: Lab) -> None:
    lifecycle.down(lab.project)
    lifecycle.up(lab.project)
    stranger, created, found = ask_mlflow(lab, "second")
    # Bad request: it is there already.
    assert (stranger, created) == ("401", "400")
    assert "of-the-test" in found
