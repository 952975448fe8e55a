"""How the objects of an installed system become resources, in the order that they need."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pulumi

from components.manifest import Manifest
from slipway.policy.stages import audited

#: Waited for by everything else: objects live in namespaces, custom ones need their definitions.
FIRST = ("Namespace", "CustomResourceDefinition")
#: They start with what they need; taken away before it, they can still clean up (Kyverno removes its webhooks).
WORKLOADS = ("DaemonSet", "Deployment", "Job", "StatefulSet")
#: An admission webhook refuses everything while nothing answers it, so it comes after what answers.
LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def install(
    parent: pulumi.ComponentResource, objects: Sequence[Mapping[str, Any]], kept: Collection[str] = ()
) -> list[Manifest]:
    """Register objects: namespaces with definitions, the rest, workloads, then webhooks with objects of the new kinds.

    Args:
        parent: The component that they belong to.
        objects: Whole manifests; each of a kind of its own name within a namespace. A namespace that says nothing of
            policies is audited.
        kept: Kinds that stay in the cluster when the component goes.
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
    """Take a definition that another installer put there before: with fields of two owners no `up` would go on."""
    if manifest["kind"] != FIRST[1]:
        return manifest
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), "pulumi.com/patchForce": "true"}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def logical_name(manifest: Mapping[str, Any]) -> str:
    """Name a resource as `kubectl` names its object: `<namespace>/<name>`; its kind is in the type."""
    metadata = manifest["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))
