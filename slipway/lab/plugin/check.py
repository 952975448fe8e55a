"""Completion and checks of a resource's inputs: name and namespace."""

from __future__ import annotations

import hashlib

from slipway.lab.plugin.values import UNKNOWN, Secret
from slipway.objects import Object

AUTONAMED = "pulumi.com/autonamed"
#: Group of core kinds in Pulumi's type tokens; the API has none.
_CORE = "core"

#: Kinds without a namespace, used when the cluster is unreachable.
_CLUSTER_WIDE = frozenset(
    {
        "APIService",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "GatewayClass",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)


def kind_of(type_token: str) -> tuple[str, str]:
    """Return apiVersion and kind of a type token such as `kubernetes:apps/v1:Deployment`.

    Raises:
        ValueError: The token is not of a Kubernetes object.
    """
    parts = type_token.split(":")
    if len(parts) != 3 or "/" not in parts[1]:
        raise ValueError(f"{type_token}: not a kind of Kubernetes objects; the stand-in supports only these")
    group, _, version = parts[1].partition("/")
    return (version if group == _CORE else parts[1]), parts[2]


def refusal(kind: str, inputs: Object) -> tuple[str, str] | None:
    """Return the first unsupported property with the reason, None without one."""
    metadata = inputs.get("metadata")
    if kind.endswith("List") and "items" in inputs:
        return "kind", f"{kind}: lists cannot be created; declare their items"
    if kind.endswith("Patch") and inputs.get("kind") != kind:
        return "kind", f"{kind}: Patch resources are not supported by the stand-in; install the official plugin"
    if isinstance(metadata, dict) and metadata.get("generateName"):
        return "metadata.generateName", "generateName is not supported with server-side apply; give metadata.name"
    return None


def usually_namespaced(kind: str) -> bool:
    """Return whether a kind is namespaced, by a guess without the cluster."""
    return kind not in _CLUSTER_WIDE


def autoname(name: str, seed: bytes, proposed: str) -> str:
    """Return the name of an unnamed object.

    Args:
        seed: The engine's seed, so that preview and `up` agree.
        proposed: The name from the stack's autonaming settings, or empty.
    """
    return proposed or f"{name}-{hashlib.sha256(seed).hexdigest()[:8]}".lower()


def complete(inputs: Object, old_inputs: Object, name: str | None, namespace: str | None) -> Object:
    """Return inputs with name and namespace filled in; a Secret's values become secret.

    Args:
        old_inputs: Those of the last run: an automatic name stays.
        name: The automatic name of a new object.
        namespace: The default namespace; None for cluster-wide kinds.
    """
    given = inputs.get("metadata")
    if given is UNKNOWN:
        return inputs
    metadata = dict(given.value if isinstance(given, Secret) else given or {})
    if not metadata.get("name"):
        old = old_inputs.get("metadata") or {}
        if isinstance(old, dict) and is_autonamed(old):
            name = old["name"]
        if name is None:
            return inputs
        metadata["name"] = name
        annotations = metadata.get("annotations") or {}
        if isinstance(annotations, dict):
            metadata["annotations"] = {**annotations, AUTONAMED: "true"}
    if namespace and not metadata.get("namespace"):
        metadata["namespace"] = namespace
    return {**inputs, "metadata": Secret(metadata) if isinstance(given, Secret) else metadata}


def is_autonamed(metadata: Object) -> bool:
    """Return whether Pulumi chose the name."""
    return bool((metadata.get("annotations") or {}).get(AUTONAMED) == "true" and metadata.get("name"))


def missing_name(inputs: Object) -> str:
    """Return the error of a name that is missing and will not be known in a real run, empty without one."""
    metadata = inputs.get("metadata")
    named = metadata is UNKNOWN or isinstance(metadata, Secret) or bool((metadata or {}).get("name"))
    return "" if named else "this stack's settings forbid automatic names: give metadata.name"
