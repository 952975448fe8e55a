"""Registration of a system's objects in the order of their dependencies."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pulumi

from components.manifest import Manifest
from slipway.policy.stages import audited

#: All other objects wait for these: they need their namespaces and definitions.
FIRST = ("Namespace", "CustomResourceDefinition")
#: Created after their dependencies and deleted before them, so they can clean up (Kyverno removes its webhooks).
WORKLOADS = ("DaemonSet", "Deployment", "Job", "StatefulSet")
#: An admission webhook refuses every object until its server answers, so it comes after the server.
LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def install(
    parent: pulumi.ComponentResource, objects: Sequence[Mapping[str, Any]], kept: Collection[str] = ()
) -> list[Manifest]:
    """Register namespaces and definitions, then other objects, workloads, and last webhooks and custom objects.

    Args:
        objects: Whole manifests, each with a unique name within its kind and namespace. A namespace without a policy
            stage is audited.
        kept: Kinds that stay in the cluster when the component is deleted.
    """
    objects = [_forced(audited(each)) for each in objects]
    own = {(each["spec"]["group"], each["spec"]["names"]["kind"]) for each in objects if each["kind"] == FIRST[1]}

    def wave(each: Mapping[str, Any]) -> int:
        if each["kind"] in FIRST:
            return 0
        custom = (each["apiVersion"].rpartition("/")[0], each["kind"]) in own
        return 3 if custom or each["kind"] in LAST else 2 if each["kind"] in WORKLOADS else 1

    done: list[Manifest] = []
    for number in range(4):
        before = list(done)
        for each in objects:
            if wave(each) == number:
                options = pulumi.ResourceOptions(
                    parent=parent, depends_on=before, retain_on_delete=each["kind"] in kept or None
                )
                done.append(Manifest(each, options, logical_name(each)))
    return done


def _forced(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take over a definition of another installer: fields with two owners would fail every later `up`."""
    if manifest["kind"] != FIRST[1]:
        return manifest
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), "pulumi.com/patchForce": "true"}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def logical_name(manifest: Mapping[str, Any]) -> str:
    """Return `<namespace>/<name>`, as `kubectl` prints it; the type holds the kind."""
    metadata = manifest["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))
