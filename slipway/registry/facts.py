"""Facts of a release, from the registry's records.

Pure. Where the registry has two places for one fact, this module defines their order.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from slipway.documents import Frozen, Sorted
from slipway.errors import SlipwayError
from slipway.models.release import COMMIT, Artifact, Column, Dataset, RegistryRef, Release, Signature

#: MLflow's tag of a dataset's use (mlflow/utils/mlflow_tags.py).
CONTEXT_TAG = "mlflow.data.context"
#: MLflow's tag of the commit that a run was started from (mlflow/utils/mlflow_tags.py).
COMMIT_TAG = "mlflow.source.git.commit"


class Facts(Frozen):
    """Content of a release, except its model spec."""

    registry: RegistryRef
    artifact: Artifact
    dataset: Dataset
    git_commit: str
    signature: Signature
    metrics: Sorted[str, float]

    def release(self, model: str) -> Release:
        """Return the release of these facts for one model spec."""
        return Release.create(
            model=model,
            registry=self.registry,
            artifact=self.artifact,
            dataset=self.dataset,
            git_commit=self.git_commit,
            signature=self.signature,
            metrics=self.metrics,
        )


@dataclass(frozen=True)
class VersionRecord:
    """Model version in the registry."""

    name: str
    version: int
    source: str
    run_id: str
    tags: Mapping[str, str]

    @property
    def key(self) -> str:
        """Cache key: all fields that determine the facts, with the relevant tags, since tags may change."""
        counted = {name: self.tags[name] for name in ("git_commit", "dataset_sha256") if name in self.tags}
        return json.dumps([self.name, self.version, self.source, self.run_id, counted], sort_keys=True)


@dataclass(frozen=True)
class DatasetRecord:
    """Dataset of a run."""

    name: str
    digest: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class RunRecord:
    """Training run with its tags, metrics and datasets."""

    run_id: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    datasets: Sequence[DatasetRecord]


def facts(
    version: VersionRecord,
    model_id: str,
    run: RunRecord,
    model_tags: Mapping[str, str],
    model_metrics: Mapping[str, float],
    artifact: Artifact,
    mlmodel: str,
) -> Facts:
    """Return the facts of one version.

    Raises:
        SlipwayError: A fact that a release needs is missing; the message names the fact, not the version.
    """
    tags = {**run.tags, **model_tags, **version.tags}
    finite = {key: value for key, value in {**run.metrics, **model_metrics}.items() if math.isfinite(value)}
    try:
        return Facts(
            registry=RegistryRef(
                registered_model=version.name, version=version.version, run_id=run.run_id, model_id=model_id
            ),
            artifact=artifact,
            dataset=_dataset(tags, run.datasets),
            git_commit=_commit(tags),
            signature=signature(mlmodel),
            metrics=finite,
        )
    except ValidationError as error:
        raise SlipwayError(f"invalid for a release ({error.errors()[0]['msg']}); register the model again") from None


def latest(metrics: Iterable[Any]) -> dict[str, float]:
    """Return the newest value by name: a metric can be logged several times, for other datasets or steps."""
    newest = sorted(metrics, key=lambda metric: (metric.timestamp or 0, metric.step or 0))
    return {metric.key: metric.value for metric in newest}


def signature(mlmodel: str) -> Signature:
    """Read a model's flavor, inputs and outputs from its MLmodel file.

    Raises:
        SlipwayError: The file does not have MLflow's format.
    """
    try:
        content = yaml.load(mlmodel, Loader=yaml.CSafeLoader)
        flavors: dict[str, Any] = content["flavors"]
        flavor = next((name for name in flavors if name != "python_function"), "python_function")
        described = content.get("signature") or {}
        return Signature(
            flavor=flavor,
            serialization_format=flavors[flavor].get("serialization_format"),
            mlflow_version=str(content["mlflow_version"]),
            inputs=_columns(described.get("inputs")),
            outputs=_columns(described.get("outputs")),
        )
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise SlipwayError(f"MLmodel is not readable ({type(error).__name__}); log the model again") from None


def _columns(described: str | None) -> tuple[Column, ...]:
    """Read MLflow's JSON of a schema (mlflow/types/schema.py): columns, or tensors with a shape."""
    columns = []
    for entry in json.loads(described or "[]"):
        kind = entry["type"]
        if kind == "tensor":
            shape = ",".join(str(size) for size in entry["tensor-spec"]["shape"])
            kind = f"{entry['tensor-spec']['dtype']}[{shape}]"
        elif kind in ("object", "array", "map"):
            nested = {key: value for key, value in entry.items() if key not in ("name", "required")}
            kind = json.dumps(nested, sort_keys=True, separators=(",", ":"))
        columns.append(Column(name=entry.get("name") or "", type=kind))
    return tuple(columns)


def _commit(tags: Mapping[str, str]) -> str:
    commit = tags.get("git_commit") or tags.get(COMMIT_TAG) or ""
    if not re.match(COMMIT, commit):
        got = f"got {commit!r}" if commit else "there is none"
        raise SlipwayError(f"no git commit: expected 40 or 64 hex digits in the version's tag git_commit, {got}")
    return commit


def _dataset(tags: Mapping[str, str], datasets: Sequence[DatasetRecord]) -> Dataset:
    """Return the training dataset; without a marked one, the first."""
    training = [dataset for dataset in datasets if dataset.tags.get(CONTEXT_TAG, "").lower() in ("training", "train")]
    chosen = next(iter([*training, *datasets]), None)
    sha256 = (chosen.tags.get("dataset_sha256") if chosen else None) or tags.get("dataset_sha256")
    name = chosen.name if chosen else tags.get("dataset", "unnamed")
    if sha256:
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise SlipwayError(f"no dataset digest: expected 64 hex digits in the tag dataset_sha256, got {sha256!r}")
        return Dataset(name=name, digest=f"sha256:{sha256}")
    if chosen is None:
        raise SlipwayError("no dataset: expected one from mlflow.log_input, or the run's tag dataset_sha256")
    if not re.fullmatch(r"[0-9a-f]{8}", chosen.digest):
        got = f"{chosen.name} has {chosen.digest!r}"
        raise SlipwayError(f"no dataset digest: {got}; set the run's tag dataset_sha256 to that of its bytes")
    return Dataset(name=name, digest=f"mlflow-weak:{chosen.digest}")
