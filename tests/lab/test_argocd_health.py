"""What Argo CD says of an object's health by the component's scripts: asked of Argo CD's own binary."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.platform.argocd import own_settings
from slipway.settings.argocd import ArgoCdSettings
from slipway.tools import toolchain

pytestmark = pytest.mark.platform

READY = {"type": "Ready", "status": "True"}
NOT_READY = {"type": "Ready", "status": "False", "message": "no server yet"}
PROMOTED = {"type": "Promoted", "message": "see the events"}

CANARIES: dict[str, tuple[dict[str, Any] | None, str]] = {
    "that Flagger has not seen": (None, "Progressing"),
    "without conditions": ({"phase": "Initializing"}, "Progressing"),
    "at rest": ({"phase": "Initialized", "canaryWeight": 0, "conditions": [PROMOTED]}, "Healthy"),
    "in mid-rollout": ({"phase": "Progressing", "canaryWeight": 10, "conditions": [PROMOTED]}, "Progressing"),
    "being promoted": ({"phase": "Promoting", "canaryWeight": 100, "conditions": [PROMOTED]}, "Progressing"),
    "held": ({"phase": "WaitingPromotion", "conditions": [PROMOTED]}, "Suspended"),
    "promoted": ({"phase": "Succeeded", "canaryWeight": 0, "conditions": [PROMOTED]}, "Healthy"),
    "taken back": ({"phase": "Failed", "lastAppliedSpec": "8", "lastPromotedSpec": "7"}, "Suspended"),
    "taken back, with the target where it was": (
        {"phase": "Failed", "lastAppliedSpec": "7", "lastPromotedSpec": "7"},
        "Healthy",
    ),
}
SERVICES: dict[str, tuple[dict[str, Any] | None, str]] = {
    "that KServe has not seen": (None, "Progressing"),
    "that KServe has just seen": ({"modelStatus": {"transitionStatus": ""}}, "Progressing"),
    "not ready": ({"conditions": [NOT_READY], "modelStatus": {"transitionStatus": "InProgress"}}, "Progressing"),
    "that cannot be loaded": (
        {"conditions": [NOT_READY], "modelStatus": {"transitionStatus": "BlockedByFailedLoad"}},
        "Degraded",
    ),
    "ready": ({"conditions": [READY], "modelStatus": {"transitionStatus": "UpToDate"}}, "Healthy"),
}


def health(directory: Path, api_version: str, kind: str, status: dict[str, Any] | None) -> str:
    toolchain.ensure("argocd")
    data = own_settings(ArgoCdSettings())["argocd-cm"]
    labels = {"app.kubernetes.io/part-of": "argocd"}
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "namespace": "argocd", "labels": labels},
        "data": data,
    }
    metadata = {"name": "churn", "namespace": "models"}
    found = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **({"status": status} if status else {})}
    (directory / "settings.yaml").write_text(yaml.safe_dump(settings))
    (directory / "object.yaml").write_text(yaml.safe_dump(found))
    # The binary is what it is called.
    (directory / "argocd").symlink_to(toolchain.binary("argocd"))
    command = ["./argocd", "admin", "settings", "resource-overrides", "health", "object.yaml"]
    done = subprocess.run(
        [*command, "--argocd-cm-path=settings.yaml"], cwd=directory, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("STATUS:")[2].split()[0]


@pytest.mark.parametrize(("status", "said"), CANARIES.values(), ids=CANARIES)
def test_a_canary(tmp_path: Path, status: dict[str, Any] | None, said: str) -> None:
    assert health(tmp_path, "flagger.app/v1beta1", "Canary", status) == said


@pytest.mark.parametrize(("status", "said"), SERVICES.values(), ids=SERVICES)
def test_an_inference_service(tmp_path: Path, status: dict[str, Any] | None, said: str) -> None:
    assert health(tmp_path, "serving.kserve.io/v1beta1", "InferenceService", status) == said
