"""How strictly the policies take a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway import names
from slipway.objects import Object
from slipway.settings.environment import Environment
from slipway.settings.policies import AUDIT, ENFORCE, Stage

#: A namespace without this label is enforced: forgetting it must not open anything.
STAGE_LABEL = f"{names.PREFIX}stage"
#: Where models are trained, unless an environment's network says otherwise.
TRAINING = "training"
#: What pods are held to by Kubernetes itself, whatever policies there are: nothing privileged, no host's paths.
POD_SECURITY: Mapping[str, str] = {
    "pod-security.kubernetes.io/enforce": "baseline",
    "pod-security.kubernetes.io/warn": "restricted",
}
#: Where a system of ours keeps something on nodes' own disks.
HOST_PATHS: Mapping[str, str] = {**POD_SECURITY, "pod-security.kubernetes.io/enforce": "privileged"}


def namespace(name: str, stage: Stage | None = None, pod_security: Mapping[str, str] = POD_SECURITY) -> Object:
    """Declare a namespace of ours; without a stage it has no labels, and is audited when it is installed."""
    labels = {"labels": {STAGE_LABEL: stage, **pod_security}} if stage else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **labels}}


def stage(environment: Environment) -> Stage:
    """Return how strictly an environment's models are taken: as its namespace says, and strictly where none does."""
    network = environment.platform.network
    return network.stage if network else ENFORCE


def training(environment: Environment) -> str:
    """Return the namespace where models are trained."""
    network = environment.platform.network
    return network.training_namespace if network else TRAINING


def audited(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Let the policies audit a namespace that says nothing: charts pin their images by tag, which they would refuse."""
    metadata = manifest["metadata"]
    if manifest["kind"] != "Namespace" or STAGE_LABEL in metadata.get("labels", {}):
        return manifest
    return {**manifest, "metadata": {**metadata, "labels": {**metadata.get("labels", {}), STAGE_LABEL: AUDIT}}}
