"""Digests of image tags, in the lock file `images.yaml`.

A tag can be moved, so no installed object names a tag alone. `slipway images lock` reads the digests from the
registries; the file is reviewed like other pins.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from slipway import documents
from slipway.documents import Frozen, Sorted
from slipway.objects import Object

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]

FILE = "images.yaml"
#: KServe's configuration holds, as JSON in text, the images of its sidecars.
KSERVE_CONFIG = "inferenceservice-config"

#: Kinds without pods: arbitrary texts, and megabytes of schemas.
NO_PODS = ("ConfigMap", "CustomResourceDefinition", "Secret")


class Images(Frozen):
    """The lock file."""

    written_by_slipway: ClassVar[bool] = True

    #: Digest by image reference.
    images: Sorted[str, Digest] = Field(default_factory=dict)


def load(project: Path) -> Images:
    """Read the lock file; a project without one has no digests."""
    path = project / FILE
    return documents.read(path, Images) if path.is_file() else Images()


def references(objects: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the images that objects name without a digest."""
    found: set[str] = set()

    def note(image: str) -> str:
        found.add(image)
        return image

    for each in objects:
        _replaced(each, note)
    return {image for image in found if "@" not in image}


def pinned(objects: Iterable[Mapping[str, Any]], images: Images) -> tuple[Object, ...]:
    """Return the objects with the digest of each image in the lock file."""

    def pin(image: str) -> str:
        digest = images.images.get(image)
        return f"{image}@{digest}" if digest else image

    return tuple(_replaced(each, pin) for each in objects)


def _replaced(each: Mapping[str, Any], change: Callable[[str], str]) -> Object:
    if each["kind"] == "ConfigMap" and each["metadata"]["name"] == KSERVE_CONFIG:
        data = {key: text if key == "_example" else _in_json(text, change) for key, text in each["data"].items()}
        return {**each, "data": data}
    if each["kind"] in NO_PODS:
        return dict(each)
    changed: Object = _walk(each, change)
    return changed


def _in_json(text: str, change: Callable[[str], str]) -> str:
    content = json.loads(text)
    changed = _walk(content, change)
    return text if changed == content else json.dumps(changed, indent=1)


def _walk(value: Any, change: Callable[[str], str]) -> Any:
    """Replace images: texts with a tag or digest under a key `image`, in any kind."""
    if isinstance(value, Mapping):
        return {
            key: change(inner) if key == "image" and isinstance(inner, str) and ":" in inner else _walk(inner, change)
            for key, inner in value.items()
        }
    return [_walk(each, change) for each in value] if isinstance(value, list) else value
