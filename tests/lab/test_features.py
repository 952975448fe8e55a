"""Feast in the lab: what a team defines is applied before its server serves, what is pushed is answered."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from projects import Project
from running_lab import Lab, running_lab

from slipway.lab import platform
from slipway.tools import toolchain

pytestmark = pytest.mark.platform

Object = dict[str, Any]
NAMESPACE = NAME = "feature-store"
#: The batch source is where a push to the offline store would go; nothing here reads it.
FEATURES = """
from feast import Entity, FeatureView, Field, FileSource, PushSource, ValueType
from feast.types import Float32, Int64

customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.INT64)
purchases = PushSource(
    name="purchases", batch_source=FileSource(path="/data/purchases.parquet", timestamp_field="event_timestamp")
)
spending = FeatureView(
    name="spending",
    entities=[customer],
    schema=[Field(name="customer_id", dtype=Int64), Field(name="month", dtype=Float32)],
    source=purchases,
)
"""
#: Asks as a model does, with what to send; prints status and answer.
ASK = """
import sys, urllib.error, urllib.request
path, *body = sys.argv[1:]
asked = urllib.request.Request(
    "http://feature-store.feature-store:6566" + path,
    body[0].encode() if body else None,
    {"Content-Type": "application/json"},
)
try:
    with urllib.request.urlopen(asked, timeout=60) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    root = tmp_path_factory.mktemp("features")
    platform.ensure_tools(["feature_store"])
    with running_lab(root) as lab:
        Project(root)
        platform.deploy(root, ["feature_store"])
        yield lab


def ask(lab: Lab, pod: str, path: str, body: Object | None = None) -> tuple[int, str]:
    """Ask as a pod beside the models."""
    sent = [path, *([json.dumps(body)] if body else [])]
    container = {"name": "main", "image": "busybox:1", "command": [sys.executable, "-c", ASK, *sent]}
    spec = {"containers": [container], "restartPolicy": "Never"}
    lab.kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "namespace": "models"}, "spec": spec})
    lab.kube.wait_for("v1", "Pod", pod, "models", lambda pod: pod["status"]["phase"] == "Succeeded", timeout=120)
    status, _, said = (lab.paths.kubelet / "pods" / f"models_{pod}" / "main.log").read_text().partition(" ")
    return int(status), said


def kubectl(lab: Lab, *arguments: str) -> None:
    command = [str(toolchain.binary("kubectl")), f"--kubeconfig={lab.kubeconfig}", f"--namespace={NAMESPACE}"]
    subprocess.run([*command, *arguments], check=True, timeout=180)


def test_a_feature_that_a_team_defined_is_pushed_to_the_server_and_comes_back(lab: Lab) -> None:
    # Before there is any definition it serves none.
    assert ask(lab, "early", "/health")[0] == 200
    question = {"features": ["spending:month"], "entities": {"customer_id": [7, 8]}}
    assert ask(lab, "unknown", "/get-online-features", question)[0] >= 400

    metadata = {"name": "features", "namespace": NAMESPACE}
    definition = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"features.py": FEATURES}}
    lab.kube.apply(definition, field_manager="team")
    kubectl(lab, "rollout", "restart", f"deployment/{NAME}")
    kubectl(lab, "rollout", "status", f"deployment/{NAME}", "--timeout=120s")

    rows = {"customer_id": [7], "month": [12.5], "event_timestamp": ["2026-11-21T12:00:00Z"]}
    status, said = ask(lab, "push", "/push", {"push_source_name": "purchases", "to": "online", "df": rows})
    assert status == 200, said
    status, said = ask(lab, "found", "/get-online-features", question)
    assert status == 200, said
    answer = json.loads(said)
    assert answer["metadata"]["feature_names"] == ["customer_id", "month"]
    assert answer["results"][1]["values"] == [12.5, None]
    assert answer["results"][1]["statuses"] == ["PRESENT", "NOT_FOUND"]
