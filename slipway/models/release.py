"""Releases: frozen versions of the registry."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from slipway import documents
from slipway.documents import Frozen, Sorted
from slipway.errors import SlipwayError, at
from slipway.names import NAME

SHA256 = r"^sha256:[0-9a-f]{64}$"
#: MLflow's own dataset digest is eight digits over a part of the rows: lineage, never proof.
DATASET = r"^(sha256:[0-9a-f]{64}|mlflow-weak:[0-9a-f]{8})$"
COMMIT = r"^([0-9a-f]{40}|[0-9a-f]{64})$"
RELEASE_ID = r"^v[1-9][0-9]*-[0-9a-f]{12}$"

ReleaseId = Annotated[str, Field(pattern=RELEASE_ID)]


class RegistryRef(Frozen):
    """The place of a release in the registry."""

    registered_model: str
    version: int = Field(ge=1)
    run_id: str
    model_id: str


class Artifact(Frozen):
    """The files of a model."""

    uri: str = Field(pattern=r"^(s3|file)://")
    digest: str = Field(pattern=SHA256)
    size_bytes: int = Field(ge=0)
    files: int = Field(ge=1)


class Dataset(Frozen):
    """The dataset of the training."""

    name: str
    digest: str = Field(pattern=DATASET)


class Column(Frozen):
    """One column of a model's input or output."""

    name: str
    type: str


class Signature(Frozen):
    """The format of a model, for its server, and its inputs and outputs, for its clients."""

    flavor: str
    serialization_format: str | None = None
    mlflow_version: str
    inputs: tuple[Column, ...] = ()
    outputs: tuple[Column, ...] = ()


class Release(Frozen):
    """A release: one file `releases/<model>/<id>.yaml`."""

    written_by_slipway: ClassVar[bool] = True

    id: ReleaseId
    model: str = Field(pattern=NAME)
    registry: RegistryRef
    artifact: Artifact
    dataset: Dataset
    git_commit: str = Field(pattern=COMMIT)
    signature: Signature
    metrics: Sorted[str, float] = Field(default_factory=dict)

    @classmethod
    def create(
        cls,
        *,
        model: str,
        registry: RegistryRef,
        artifact: Artifact,
        dataset: Dataset,
        git_commit: str,
        signature: Signature,
        metrics: dict[str, float] | None = None,
    ) -> Release:
        """Return a release with the id of its content."""
        draft = cls(
            id="v1-000000000000",
            model=model,
            registry=registry,
            artifact=artifact,
            dataset=dataset,
            git_commit=git_commit,
            signature=signature,
            metrics=metrics or {},
        )
        return draft.model_copy(update={"id": derived_id(draft)})

    @property
    def version(self) -> int:
        """The version number in the registry."""
        return self.registry.version


def derived_id(release: Release) -> str:
    """Return the id of a release's content: the version and the beginning of its sha256."""
    content = release.model_dump(exclude={"id"}, exclude_defaults=True)
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"v{release.registry.version}-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"


def load_release(path: Path) -> Release:
    """Read one release.

    Raises:
        SlipwayError: The file does not fit the type, or was edited after it was written.
    """
    release = documents.read(path, Release)
    folder, derived = path.parent.name, derived_id(release)
    if derived != release.id:
        raise _misplaced(path, "id", f"edited by hand: its content is {derived}, not {release.id}")
    if path.stem != release.id:
        raise _misplaced(path, "id", f"expected the file's own name {path.stem!r}, got {release.id!r}")
    if folder != release.model:
        raise _misplaced(path, "model", f"expected the directory's name {folder!r}, got {release.model!r}")
    return release


def _misplaced(path: Path, field: str, what: str) -> SlipwayError:
    remedy = "restore it from Git, or freeze the version again with `slipway release`"
    return SlipwayError(f"{at(documents.display(path), None, field)}{what}; {remedy}")


class Releases:
    """The releases of a directory, each read at most once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._read: dict[tuple[str, str], Release] = {}

    def path(self, model: str, release_id: str) -> Path:
        """Return the file of a release."""
        return self.directory / model / f"{release_id}.yaml"

    def find(self, model: str, release_id: str) -> Release | None:
        """Return a release, or None where there is no such file.

        Raises:
            SlipwayError: The file was edited, or is misplaced.
        """
        key = model, release_id
        if key not in self._read:
            path = self.path(model, release_id)
            if not path.is_file():
                return None
            self._read[key] = load_release(path)
        return self._read[key]

    def ids(self, model: str) -> list[str]:
        """List the ids of a model's releases by version."""
        found = (path.stem for path in (self.directory / model).glob("v*-*.yaml"))
        return sorted(found, key=lambda release_id: (version_of(release_id), release_id))

    def nearest(self, model: str, release_id: str) -> list[str]:
        """List the three ids with the nearest versions, for a message."""
        wanted = version_of(release_id)
        return sorted(self.ids(model), key=lambda known: (abs(version_of(known) - wanted), known))[:3]

    def write(self, release: Release) -> Path:
        """Write a release; a file that already holds it is left as it is."""
        path = self.path(release.model, release.id)
        try:
            written = path.is_file() and load_release(path) == release
        except SlipwayError:
            written = False
        if not written:
            documents.write(path, release)
        self._read[release.model, release.id] = release
        return path


def version_of(release_id: str) -> int:
    """Return the registry version of a release id; 0 for any other text."""
    digits = release_id[1:].partition("-")[0]
    return int(digits) if digits.isdigit() else 0
