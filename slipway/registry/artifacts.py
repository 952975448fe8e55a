"""Artifacts of a model, hashed where they are stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from slipway.errors import SlipwayError
from slipway.models.digest import IGNORED, HashedFile, Tree, check_paths, tree
from slipway.models.release import Artifact, Release
from slipway.registry import cache, stores

#: File with MLflow's description of a model, at the top of its artifacts.
MLMODEL = "MLmodel"


@dataclass(frozen=True)
class ArtifactTree:
    """Digest of one model's artifacts, with the texts that describe how to load it."""

    tree: Tree
    texts: Mapping[str, str] = field(default_factory=dict)


def hash_artifact(uri: str) -> Artifact:
    """Hash the artifacts below a URI.

    Raises:
        SlipwayError: The store cannot be reached, or its files are no portable tree.
    """
    found = read_artifact(uri).tree
    return Artifact(uri=uri, digest=found.digest, size_bytes=found.size_bytes, files=found.files)


def verify(release: Release) -> None:
    """Check that the bytes of a release still have its pinned digest.

    Raises:
        SlipwayError: They differ, or the store cannot be reached (exit code UNREACHABLE).
    """
    where = f"releases/{release.model}/{release.id}.yaml: artifact"
    pinned = release.artifact
    try:
        found = read_artifact(pinned.uri).tree.digest
    except stores.DamagedError:
        found = "bytes that differ from the store's own checksum"
    except SlipwayError as error:
        raise SlipwayError(f"{where}.uri: {error}", error.exit_code) from None
    if found != pinned.digest:
        raise SlipwayError(
            f"{where}.digest: artifact changed since it was pinned: expected {pinned.digest}, found {found}"
            f" at {pinned.uri}; restore the bytes, or register the new ones as a new version"
        )


def read_artifact(uri: str) -> ArtifactTree:
    """Hash the artifacts below a URI, unless the same objects were hashed before."""
    store = stores.open_store(uri)
    objects = store.objects()
    check_paths(uri, (item.path for item in objects))
    # A store changes an object's tag or time with its bytes, so the listing identifies the content.
    key = json.dumps([uri, sorted(asdict(item).items() for item in objects)], default=list)
    known = cache.registry_cache().get("artifact", key)
    if known is not None:
        content = json.loads(known)
        return ArtifactTree(Tree(**content["tree"]), content["texts"])
    files, texts = [], {}
    for item in objects:
        if item.path in IGNORED:
            continue
        sha256, size, text = store.read(item.path, keep=item.path == MLMODEL)
        files.append(HashedFile(item.path, sha256, size))
        if text is not None:
            texts[item.path] = text
    found = ArtifactTree(tree(uri, files), texts)
    cache.registry_cache().put("artifact", {key: json.dumps({"tree": asdict(found.tree), "texts": texts})})
    return found
