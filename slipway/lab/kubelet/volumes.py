"""A pod's volumes as directories."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from slipway.lab.kubelet.refusal import unsupported
from slipway.lab.kubelet.variables import Sources, pod_field

Object = dict[str, Any]


def volume_files(volume: Object, pod: Object, sources: Sources, address: str) -> dict[str, bytes]:
    """Return the files that a volume starts with, by relative path; an emptyDir has none.

    Raises:
        Refusal: The volume is of a kind that this kubelet does not know, or refers to what does not exist.
    """
    kinds = [kind for kind in volume if kind != "name"]
    if kinds == ["emptyDir"]:
        return {}
    if kinds == ["projected"]:
        files: dict[str, bytes] = {}
        for source in volume["projected"].get("sources") or ():
            kind = next(iter(source))
            files.update(_files(volume["name"], kind, source[kind], pod, sources, address))
        return files
    kind = kinds[0] if kinds else "emptyDir"
    return _files(volume["name"], kind, volume.get(kind) or {}, pod, sources, address)


def _files(name: str, kind: str, source: Object, pod: Object, sources: Sources, address: str) -> dict[str, bytes]:
    if kind == "downwardAPI":
        return {_checked(item["path"]): _downward(name, item, pod, address) for item in source.get("items") or ()}
    if kind not in ("secret", "configMap"):
        raise unsupported(f"volume {name}: {kind}; it knows emptyDir, secret, configMap, downwardAPI, projected")
    of, optional = ("Secret" if kind == "secret" else "ConfigMap"), bool(source.get("optional"))
    object_name = source.get("secretName") or source.get("name") or ""
    entries = sources.all_of(of, object_name, optional)
    if not source.get("items"):
        return {_checked(key): value for key, value in entries.items()}
    chosen = {}
    for item in source["items"]:
        value = sources.value(of, {"name": object_name, "key": item["key"], "optional": optional})
        if value is not None:
            chosen[_checked(item["path"])] = value
    return chosen


def _downward(name: str, item: Object, pod: Object, address: str) -> bytes:
    if "fieldRef" not in item:
        raise unsupported(f"volume {name}: downwardAPI resourceFieldRef")
    return pod_field(pod, item["fieldRef"]["fieldPath"], address).encode()


def _checked(path: str) -> str:
    """Return a path that stays inside its volume."""
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise unsupported(f"a volume path outside the volume: {path!r}")
    return path


def write_volume(directory: Path, files: Mapping[str, bytes]) -> None:
    """Make a volume's directory with its files, readable by nobody else on the machine."""
    directory.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(content)
