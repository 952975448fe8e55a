"""A pod's volumes as directories."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from slipway.lab.kubelet.refusal import unsupported
from slipway.lab.kubelet.variables import PVC, Sources, pod_field
from slipway.objects import Object


def volume_files(volume: Object, pod: Object, sources: Sources, address: str) -> dict[str, bytes]:
    """Return the files that a volume starts with, by relative path; an emptyDir has none, a claim has its own.

    Raises:
        Refusal: The volume is of a kind that this kubelet does not know, or refers to what does not exist.
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
        raise unsupported(f"volume {name}: {kind}; it knows emptyDir, secret, configMap, downwardAPI, projected, {PVC}")
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


def make_volumes(pod: Object, sources: Sources, address: str, directory: Path) -> None:
    """Make a pod's volumes, as `volumes/<name>` in its own directory.

    Raises:
        Refusal: As `volume_files`.
    """
    for volume in pod["spec"].get("volumes") or ():
        files, place = volume_files(volume, pod, sources, address), directory / "volumes" / volume["name"]
        if PVC in volume:
            _link_claim(place, claims(directory.parents[1]) / sources.claim(volume[PVC]["claimName"]))
        else:
            write_volume(place, files)


def claims(state: Path) -> Path:
    """Say where what is claimed lies, by the identity of the claim; it outlives pods."""
    return state / "claims"


def _link_claim(place: Path, kept: Path) -> None:
    kept.mkdir(parents=True, exist_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(kept)


def write_volume(directory: Path, files: Mapping[str, bytes]) -> None:
    """Make a volume's directory with its files, readable by nobody else on the machine."""
    directory.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(content)
