"""Ownership of fields by field managers, for server-side apply.

`managedFields` of a live object lists managers, each with a set of fields: nested objects with keys `f:<name>`,
`k:{…}`, `v:…`, `.` (Kubernetes: sigs.k8s.io/structured-merge-diff, fieldpath).
"""

from __future__ import annotations

import copy

from slipway.lab.plugin import paths
from slipway.lab.plugin.paths import Path
from slipway.objects import Object

#: Field manager of objects created by POST.
POST_MANAGER = "pulumi-kubernetes"
#: Entries (manager, operation) whose fields move before the first apply, as in pulumi-kubernetes
#: (provider/pkg/await/await.go, fixCSAFieldManagers): otherwise a field dropped from the inputs would stay.
_ADOPTED = {
    ("kubectl", "Apply"),
    ("kubectl", "Update"),
    ("before-first-apply", "Update"),
    (POST_MANAGER, "Update"),
    ("pulumi-resource-kubernetes", "Update"),
}


def adopted(managed: list[Object], manager: str) -> list[Object] | None:
    """Return the entries with our own earlier writes moved to `manager`; None without any."""
    ours = [entry for entry in managed if _is_adopted(entry)]
    if not ours:
        return None
    rest = [entry for entry in managed if not _is_adopted(entry) and not _is_apply_of(entry, manager)]
    fields: Object = {}
    for entry in [*ours, *(entry for entry in managed if _is_apply_of(entry, manager))]:
        fields = _union(fields, entry["fieldsV1"])
    mine = {**ours[-1], "manager": manager, "operation": "Apply", "fieldsV1": fields}
    return [*rest, mine]


def keep_ignored(inputs: Object, live: Object, ignored: list[str], manager: str) -> Object:
    """Return the object to apply so that the ignored fields stay as they are.

    A field owned only by others is left out; otherwise its live value is sent, since leaving out our own field would
    remove it. Single list items cannot be ignored, as in pulumi-kubernetes.
    """
    wanted = copy.deepcopy(inputs)
    managed = (live.get("metadata") or {}).get("managedFields") or []
    for text in ignored:
        path = paths.parse(text)
        mine = any(_owns(entry, path) for entry in managed if entry.get("manager") == manager)
        theirs = any(_owns(entry, path) for entry in managed if entry.get("manager") != manager)
        if theirs and not mine:
            paths.drop(wanted, path)
            continue
        try:
            paths.put(wanted, path, paths.get(live, path))
        except (KeyError, TypeError, IndexError):
            continue
    return wanted


def _is_adopted(entry: Object) -> bool:
    return (entry.get("manager"), entry.get("operation")) in _ADOPTED and not entry.get("subresource")


def _is_apply_of(entry: Object, manager: str) -> bool:
    return entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource")


def _union(one: Object, other: Object) -> Object:
    return {**one, **{key: _union(one.get(key, {}), value) for key, value in other.items()}}


def _owns(entry: Object, path: Path) -> bool:
    """Return whether the entry owns the path, a part of it, or (as a leaf such as an atomic map) a parent."""
    fields = entry.get("fieldsV1") or {}
    for step in path:
        if not fields:
            return True
        if f"f:{step}" not in fields:
            return False
        fields = fields[f"f:{step}"]
    return True
