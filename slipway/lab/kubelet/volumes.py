"""Volumes of a pod, as directories."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from slipway.lab.kubelet.refusal import unsupported
from slipway.lab.kubelet.variables import PVC, Sources, pod_field
from slipway.objects import Object


def volume_files(volume: Object, pod: Object, sources: Sources, address: str) -> dict[str, bytes]:
    """Return the initial files of a volume by relative path; an emptyDir has none, a claim keeps its own.

    Raises:
        Refusal: This kubelet does not support the volume's kind, or an object that it refers to does not exist.
    """
    kinds = [kind for kind in volume if kind != "name"]
    if kinds in (["emptyDir"], [PVC]):
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
    if kind == "serviceAccountToken":
        return {_checked(source["path"]): sources.token(source)}
    if kind not in ("secret", "configMap"):
        raise unsupported(f"volume {name}: {kind}; expected emptyDir, secret, configMap, downwardAPI, projected, {PVC}")
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
    """Return the path; raise Refusal if it leaves its volume."""
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise unsupported(f"a volume path outside the volume: {path!r}")
    return path


def make_volumes(pod: Object, sources: Sources, address: str, directory: Path) -> None:
    """Make a pod's volumes as `volumes/<name>` in its own directory.

    Raises:
        Refusal: As `volume_files`.
    """
    for volume in pod["spec"].get("volumes") or ():
        files = volume_files(volume, pod, sources, address)
        place = directory / "volumes" / volume["name"]
        if PVC in volume:
            # By claim identity: the data outlive pods.
            kept = directory.parents[1] / "claims" / sources.claim(volume[PVC]["claimName"])
            kept.mkdir(parents=True, exist_ok=True)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            place.symlink_to(kept)
        else:
            write_volume(place, files)


def write_volume(directory: Path, files: Mapping[str, bytes]) -> None:
    """Make a volume's directory with its files, readable by their owner only."""
    directory.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(content)
