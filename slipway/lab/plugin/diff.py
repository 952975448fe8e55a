"""Comparison of wanted inputs with the last known live object, without a call to the cluster.

Fields added by other writers are no difference: the live object is first pruned to the shape of the old inputs.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from slipway.lab.plugin import paths
from slipway.lab.plugin.check import is_autonamed
from slipway.lab.plugin.paths import Path
from slipway.objects import Object

_MISSING: Any = object()


class Kind(Enum):
    """Kind of a field's difference."""

    ADD = "ADD"
    DELETE = "DELETE"
    UPDATE = "UPDATE"


@dataclass(frozen=True)
class Change:
    """Difference of one field.

    Args:
        replace: Whether it requires a replacement of the object.
    """

    path: Path
    kind: Kind
    replace: bool = False


@dataclass(frozen=True)
class Mutable:
    """Kinds that a provider changes in place, though Pulumi replaces them by default."""

    config_maps: bool = False
    secrets: bool = False


def prune(live: Any, shape: Any) -> Any:
    """Return the part of `live` that `shape` has too; all of `live` where their types differ."""
    if isinstance(live, dict) and isinstance(shape, dict):
        return {key: prune(value, shape[key]) for key, value in live.items() if key in shape}
    if isinstance(live, list) and isinstance(shape, list):
        return [prune(value, like) for value, like in zip(live, shape, strict=False)]
    return live


def compare(live: Object, old_inputs: Object, new_inputs: Object, mutable: Mutable = Mutable()) -> list[Change]:
    """Return the changes from the live object to the new inputs.

    Args:
        old_inputs: The inputs that the live object was made from.
        mutable: Exceptions from the replace rules.
    """
    old, new = (
        _comparable(prune(fold_secret(live), fold_secret(old_inputs)), live),
        _comparable(fold_secret(new_inputs), live),
    )
    replacing = replace_paths(new, mutable)
    return [
        Change(path, kind, _touches(path, value, replacing))
        for path, kind, value in _changes((), old, new, lenient=_is_built_in(new))
    ]


def without_ignored(changes: Sequence[Change], ignored: Sequence[str]) -> list[Change]:
    """Drop the changes below the paths of `ignoreChanges`."""
    prefixes = [paths.parse(text) for text in ignored]
    return [change for change in changes if not any(paths.covers(prefix, change.path) for prefix in prefixes)]


def delete_before_replace(changes: Sequence[Change], live: Object, new_inputs: Object) -> bool:
    """Return whether the old object blocks the new one: same explicit name and namespace."""
    old, new = live["metadata"], new_inputs["metadata"]
    return (
        any(change.replace for change in changes)
        and not is_autonamed(new)
        and all(old.get(key) == new.get(key) for key in ("name", "namespace"))
    )


def replace_paths(obj: Object, mutable: Mutable) -> list[Path]:
    """Return the fields of an object that cannot be changed in place.

    The table is pulumi-kubernetes' (provider/pkg/provider/diff.go), reduced to the versions served today; for Pods and
    volumes it is coarser: all of `spec`.
    """
    group, _, version = str(obj.get("apiVersion")).rpartition("/")
    kind, frozen = str(obj.get("kind")), obj.get("immutable") is True
    fields: Sequence[str] = _REPLACE.get((group, kind), ()) if version == "v1" else ()
    if (group, kind) == ("", "ConfigMap") and (frozen or not mutable.config_maps):
        fields = ("data", "binaryData")
    if (group, kind) == ("", "Secret") and (frozen or not mutable.secrets):
        fields = ("type", "data", "stringData")
    return [("metadata", "name"), ("metadata", "namespace"), *(paths.parse(field) for field in fields)]


_REPLACE: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "Secret"): ("type",),
    ("", "Service"): ("spec.clusterIP",),
    ("", "Pod"): ("spec",),
    ("", "PersistentVolume"): ("spec",),
    ("", "PersistentVolumeClaim"): ("spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "DaemonSet"): ("spec.selector",),
    ("apps", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch", "Job"): ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
}


def _changes(path: Path, old: Any, new: Any, *, lenient: bool) -> Iterator[tuple[Path, Kind, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from _changes((*path, key), old.get(key, _MISSING), new.get(key, _MISSING), lenient=lenient)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else _MISSING
            after = new[index] if index < len(new) else _MISSING
            yield from _changes((*path, index), before, after, lenient=lenient)
    elif old is _MISSING:
        if not (lenient and new in ({}, [], None)):
            yield path, Kind.ADD, new
    elif new is _MISSING:
        yield path, Kind.DELETE, old
    # 1 and True are equal in Python, but not in JSON.
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield path, Kind.UPDATE, new


def _touches(path: Path, value: Any, replacing: Sequence[Path]) -> bool:
    """Return whether a change at `path` with this value changes one of the fields that force a replacement."""
    for field in replacing:
        if paths.covers(field, path):
            return True
        if paths.covers(path, field):
            try:
                paths.get(value, field[len(path) :])
            except KeyError:
                continue
            return True
    return False


def _is_built_in(obj: Object) -> bool:
    """Return whether a kind is built in: the server drops its empty maps and lists, but keeps a custom resource's."""
    group = str(obj.get("apiVersion")).rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io")


def _comparable(obj: Object, live: Object) -> Object:
    """Return the object with comparable name and namespace.

    A missing name is the live object's; a namespace on a cluster-wide object is ignored.
    """
    metadata = {**(obj.get("metadata") or {})}
    namespace = (live.get("metadata") or {}).get("namespace")
    if namespace is None:
        metadata.pop("namespace", None)
    else:
        metadata.setdefault("namespace", namespace)
    metadata.setdefault("name", live["metadata"]["name"])
    return {**obj, "metadata": metadata}


def fold_secret(obj: Object) -> Object:
    """Return a Secret with `stringData` encoded in `data`, as the server stores it."""
    texts = obj.get("stringData")
    if obj.get("kind") != "Secret" or not isinstance(texts, dict):
        return obj
    encoded = {
        key: base64.b64encode(text.encode()).decode() if isinstance(text, str) else text for key, text in texts.items()
    }
    return {**{k: v for k, v in obj.items() if k != "stringData"}, "data": {**(obj.get("data") or {}), **encoded}}
