"""Stages of namespaces: the policies audit or enforce."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway import names
from slipway.objects import Object
from slipway.settings.environment import Environment
from slipway.settings.policies import AUDIT, ENFORCE, Stage

#: Policies are enforced in a namespace without this label: a forgotten label must not open anything.
STAGE_LABEL = f"{names.PREFIX}stage"
#: The namespace of training, unless an environment's network names another.
TRAINING = "training"
#: Kubernetes' own checks of pods, apart from any policy: nothing privileged, no paths of the host.
POD_SECURITY: Mapping[str, str] = {
    "pod-security.kubernetes.io/enforce": "baseline",
    "pod-security.kubernetes.io/warn": "restricted",
}
#: For a system that keeps data on the nodes' disks.
HOST_PATHS: Mapping[str, str] = {**POD_SECURITY, "pod-security.kubernetes.io/enforce": "privileged"}


def namespace(name: str, stage: Stage | None = None, pod_security: Mapping[str, str] = POD_SECURITY) -> Object:
    """Return a namespace; without a stage it has no labels, and is audited once it is installed."""
    labels = {"labels": {STAGE_LABEL: stage, **pod_security}} if stage else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **labels}}


def stage(environment: Environment) -> Stage:
    """Return the stage of an environment's models; without platform.network it is enforce."""
    network = environment.platform.network
    return network.stage if network else ENFORCE


def training(environment: Environment) -> str:
    """Return the namespace of training."""
    network = environment.platform.network
    return network.training_namespace if network else TRAINING


def audited(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Label a namespace without a stage as audited: charts pin images by tag, which policies would refuse."""
    metadata = manifest["metadata"]
    if manifest["kind"] != "Namespace" or STAGE_LABEL in metadata.get("labels", {}):
        return manifest
    return {**manifest, "metadata": {**metadata, "labels": {**metadata.get("labels", {}), STAGE_LABEL: AUDIT}}}
