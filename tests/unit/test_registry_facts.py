"""What of a registry's records makes a release, which gates it must pass."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from builders import a_release, a_spec

from slipway.errors import SlipwayError
from slipway.models.gates import failed_gates
from slipway.models.release import Artifact
from slipway.models.spec import Gate
from slipway.registry.facts import DatasetRecord, Facts, RunRecord, VersionRecord, facts, latest, signature

ARTIFACT = Artifact(uri="s3://models/churn", digest="sha256:" + "a" * 64, size_bytes=10, files=2)
VERSION = VersionRecord("churn", 7, "models:/m-1", "1" * 32, {"git_commit": "c" * 40})
TRAINING = DatasetRecord("people", "0a1b2c3d", {"mlflow.data.context": "training"})
RUN = RunRecord("1" * 32, {}, {"accuracy": 0.8, "f1": 0.7}, (TRAINING,))
MLMODEL = """\
flavors:
  python_function: {loader_module: mlflow.sklearn}
  sklearn: {serialization_format: skops}
mlflow_version: 3.17.2
signature:
  inputs: '[{"type": "double", "name": "age"}, {"type": "array", "name": "tags", "items": {"type": "string"}}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}]'
"""


def frozen(
    version: VersionRecord = VERSION,
    run: RunRecord = RUN,
    model_tags: dict[str, str] | None = None,
    model_metrics: dict[str, float] | None = None,
) -> Facts:
    return facts(version, "m-1", run, model_tags or {}, model_metrics or {}, ARTIFACT, MLMODEL)


def test_facts_become_a_release_of_a_model() -> None:
    release = frozen().release("mine")
    assert (release.model, release.registry.registered_model, release.id[:3]) == ("mine", "churn", "v7-")
    assert release.artifact == ARTIFACT
    assert release.signature.flavor == "sklearn"


def test_facts_come_back_from_the_cache_as_they_were() -> None:
    assert Facts.model_validate_json(frozen().model_dump_json()) == frozen()


def test_a_metric_of_the_model_counts_more_than_one_of_the_run() -> None:
    assert frozen(model_metrics={"accuracy": 0.9}).metrics == {"accuracy": 0.9, "f1": 0.7}


def test_the_newest_value_of_a_metric_counts() -> None:
    logged = [("accuracy", 0.5, 20, 0), ("accuracy", 0.9, 10, 5), ("f1", 0.5, 10, 1), ("f1", 0.6, 10, 2)]
    metrics = [SimpleNamespace(key=key, value=value, timestamp=time, step=step) for key, value, time, step in logged]
    assert latest(metrics) == {"accuracy": 0.5, "f1": 0.6}


def test_a_metric_that_is_no_number_is_not_recorded() -> None:
    assert frozen(model_metrics={"accuracy": float("nan"), "loss": float("inf")}).metrics == {"f1": 0.7}


@pytest.mark.parametrize(
    ("version_tags", "model_tags", "run_tags", "commit"),
    [
        ({"git_commit": "a" * 40}, {"git_commit": "b" * 40}, {"git_commit": "c" * 40}, "a" * 40),
        ({}, {"git_commit": "b" * 40}, {"git_commit": "c" * 40}, "b" * 40),
        ({}, {}, {"git_commit": "c" * 64, "mlflow.source.git.commit": "d" * 40}, "c" * 64),
        ({}, {}, {"mlflow.source.git.commit": "d" * 40}, "d" * 40),
    ],
)
def test_the_commit_is_the_one_nearest_to_the_version(
    version_tags: dict[str, str], model_tags: dict[str, str], run_tags: dict[str, str], commit: str
) -> None:
    found = frozen(replace(VERSION, tags=version_tags), replace(RUN, tags=run_tags), model_tags)
    assert found.git_commit == commit


@pytest.mark.parametrize(
    ("commit", "got"), [(None, "there is none"), ("main", "got 'main'"), ("c" * 7, "got 'ccccccc'")]
)
def test_a_version_without_a_commit_is_refused(commit: str | None, got: str) -> None:
    tags = {"git_commit": commit} if commit else {}
    with pytest.raises(SlipwayError, match=rf"^no git commit: expected 40 or 64 hex digits in .* git_commit, {got}$"):
        frozen(replace(VERSION, tags=tags))


def test_the_dataset_is_the_one_that_trained() -> None:
    test = DatasetRecord("holdout", "ffffffff", {"mlflow.data.context": "test"})
    assert frozen(run=replace(RUN, datasets=(test, TRAINING))).dataset.name == "people"
    assert frozen(run=replace(RUN, datasets=(test,))).dataset.name == "holdout"


def test_a_dataset_without_a_real_digest_says_that_it_is_weak() -> None:
    assert frozen().dataset.digest == "mlflow-weak:0a1b2c3d"


@pytest.mark.parametrize("where", ["run", "dataset", "version"])
def test_a_real_dataset_digest_is_taken_where_it_is_tagged(where: str) -> None:
    tag = {"dataset_sha256": "b" * 64}
    run = replace(RUN, tags=tag if where == "run" else {})
    run = replace(run, datasets=(replace(TRAINING, tags={**TRAINING.tags, **tag} if where == "dataset" else {}),))
    version = replace(VERSION, tags={**VERSION.tags, **tag} if where == "version" else VERSION.tags)
    assert frozen(version, run).dataset.digest == "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (replace(RUN, datasets=()), "no dataset: expected one from mlflow.log_input, or the run's tag dataset_sha256"),
        (replace(RUN, datasets=(replace(TRAINING, digest="v1"),)), "no dataset digest: people has 'v1'; set the run's"),
        (replace(RUN, tags={"dataset_sha256": "x"}), "no dataset digest: expected 64 hex digits in the tag dataset_"),
    ],
)
def test_a_version_without_a_dataset_is_refused(run: RunRecord, message: str) -> None:
    with pytest.raises(SlipwayError) as raised:
        frozen(run=run)
    assert str(raised.value).startswith(message)


def test_the_key_of_a_version_changes_with_what_makes_it_another() -> None:
    assert replace(VERSION, tags={**VERSION.tags, "note": "x"}).key == VERSION.key
    for change in ({"version": 8}, {"source": "models:/m-2"}, {"run_id": "2" * 32}, {"tags": {"git_commit": "d" * 40}}):
        assert replace(VERSION, **change).key != VERSION.key  # type: ignore[arg-type]


def test_a_signature_names_columns_tensors_with_nested_types() -> None:
    found = signature(MLMODEL)
    nested = json.dumps({"items": {"type": "string"}, "type": "array"}, separators=(",", ":"))
    assert [(column.name, column.type) for column in found.inputs] == [("age", "double"), ("tags", nested)]
    assert [(column.name, column.type) for column in found.outputs] == [("", "float32[-1,2]")]
    assert (found.flavor, found.serialization_format, found.mlflow_version) == ("sklearn", "skops", "3.17.2")


def test_a_model_of_plain_python_has_that_flavor() -> None:
    found = signature("flavors: {python_function: {}}\nmlflow_version: 3.17.2\n")
    assert (found.flavor, found.serialization_format, found.inputs) == ("python_function", None, ())


@pytest.mark.parametrize("text", ["", "a: [", "flavors: {}", "- a", MLMODEL.replace("[{", "{{"), "flavors: {a: b}"])
def test_an_mlmodel_that_mlflow_did_not_write_is_refused(text: str) -> None:
    with pytest.raises(SlipwayError, match=r"^MLmodel is not readable \(\w+\); log the model again$"):
        signature(text)


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        ({"metric": "accuracy", "at_least": 0.9}, None),
        ({"metric": "accuracy", "at_most": 0.9}, None),
        ({"metric": "accuracy", "at_least": 0.91}, "accuracy is 0.9, expected at least 0.91"),
        ({"metric": "accuracy", "at_most": 0.89}, "accuracy is 0.9, expected at most 0.89"),
        ({"metric": "auc", "at_least": 0.0}, "auc is not recorded, expected at least 0"),
    ],
)
def test_a_gate_holds_or_says_why_not(gate: dict[str, Any], told: str | None) -> None:
    spec = a_spec(gates=(Gate(metric="accuracy", at_least=0.5), Gate(**gate)))
    assert list(failed_gates(spec, a_release(metrics={"accuracy": 0.9}))) == ([(1, told)] if told else [])
