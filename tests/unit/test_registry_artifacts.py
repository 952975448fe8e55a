"""Artifact bytes: hashed once, checked against what was pinned, told in one line when they cannot be."""

from __future__ import annotations

import io
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, FlexibleChecksumError, NoCredentialsError
from builders import a_release

from slipway.errors import ExitCode, SlipwayError
from slipway.models.digest import local_tree
from slipway.registry import Registry, artifacts, hash_artifact, stores, verify
from slipway.registry.artifacts import read_artifact
from slipway.registry.connection import shown
from slipway.tools import toolchain


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    directory = tmp_path / "model"
    (directory / "data").mkdir(parents=True)
    (directory / "MLmodel").write_text("flavors: {}\n")
    (directory / "data" / "weights").write_bytes(b"0123456789")
    return directory


class Bucket:
    """The two S3 calls that are used, over a dictionary."""

    def __init__(self, objects: dict[str, bytes], error: Exception | None = None) -> None:
        self.contents, self.error, self.read = objects, error, 0

    def get_paginator(self, _: str) -> Bucket:
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        if self.error:
            raise self.error
        found = [
            {"Key": key, "Size": len(data), "ETag": str(hash(data)), "LastModified": datetime(2026, 1, 1, tzinfo=UTC)}
            for key, data in self.contents.items()
            if key.startswith(Prefix)
        ]
        return [{"Contents": found[:1]}, {"Contents": found[1:]}, {}]

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        self.read += 1
        return {"Body": io.BytesIO(self.contents[Key])}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    bucket = Bucket({"m/MLmodel": b"flavors: {}\n", "m/data/": b"", "m/data/weights": b"0123456789", "m2/x": b"other"})
    monkeypatch.setattr(stores, "_client", lambda endpoint: bucket)
    return bucket


def test_a_local_artifact_has_the_digest_of_its_directory(model: Path) -> None:
    artifact = hash_artifact(f"file://{model}")
    assert artifact.digest == local_tree(model).digest
    assert (artifact.files, artifact.size_bytes) == (2, 22)


def test_a_stored_artifact_has_the_digest_of_the_same_directory(model: Path, bucket: Bucket) -> None:
    assert hash_artifact("s3://models/m").digest == local_tree(model).digest
    assert hash_artifact("s3://models/m/").digest == local_tree(model).digest


def test_the_same_objects_are_hashed_once(bucket: Bucket) -> None:
    once = read_artifact("s3://models/m")
    assert bucket.read == 2
    assert read_artifact("s3://models/m") == once
    assert bucket.read == 2
    assert once.texts == {"MLmodel": "flavors: {}\n"}
    bucket.contents["m/data/weights"] = b"9876543210"
    assert read_artifact("s3://models/m").tree != once.tree


def test_a_local_file_with_the_same_length_is_hashed_again(model: Path) -> None:
    before = hash_artifact(f"file://{model}")
    (model / "data" / "weights").write_bytes(b"9876543210")
    assert hash_artifact(f"file://{model}") != before


def test_a_cache_that_cannot_be_used_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: Bucket
) -> None:
    (tmp_path / "file").write_text("not a directory")
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "file"))
    assert read_artifact("s3://models/m").tree.files == 2
    broken = tmp_path / "broken" / "registry" / "v1.db"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"this is no database, and long enough to be read as a header of one" * 20)
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "broken"))
    assert read_artifact("s3://models/m").tree.files == 2


def test_the_cache_is_where_the_user_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLIPWAY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert toolchain.cache() == tmp_path / "slipway"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert toolchain.cache() == tmp_path / ".cache" / "slipway"


def test_verify_accepts_what_was_pinned_and_names_what_was_not(bucket: Bucket) -> None:
    uri = "s3://models/m"
    pinned = a_release(uri=uri, digest=hash_artifact(uri).digest)
    verify(pinned)
    bucket.contents["m/extra"] = b""
    with pytest.raises(SlipwayError) as raised:
        verify(pinned)
    assert str(raised.value) == (
        f"releases/churn/{pinned.id}.yaml: artifact.digest: artifact changed since it was pinned: expected"
        f" {pinned.artifact.digest}, found {hash_artifact(uri).digest} at s3://models/m; restore the bytes, or register"
        " the new ones as a new version"
    )
    assert raised.value.exit_code == ExitCode.USER


def test_bytes_edited_behind_the_store_count_as_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    error = FlexibleChecksumError(error_msg="Expected checksum a did not match calculated checksum b")
    monkeypatch.setattr(stores, "_client", lambda endpoint: Bucket({}, error))
    with pytest.raises(SlipwayError, match=r"artifact changed since it was pinned: .* found bytes that differ"):
        verify(a_release(uri="s3://models/m"))
    with pytest.raises(SlipwayError, match=r"^s3://models/m: bytes that differ from the store's own checksum; restore"):
        hash_artifact("s3://models/m")


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        (EndpointConnectionError(endpoint_url="x"), "object store http://s3 cannot be reached (Endpoint", 3),
        (NoCredentialsError(), "no credentials; set AWS_ACCESS_KEY_ID or AWS_PROFILE", 2),
        (
            ClientError({"Error": {"Code": "NoSuchBucket"}, "ResponseMetadata": {"HTTPStatusCode": 404}}, "List"),
            "refused by the object store (NoSuchBucket); check the address and your rights",
            2,
        ),
        (
            ClientError({"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, "List"),
            "refused by the object store (SlowDown)",
            3,
        ),
        (ValueError("Invalid endpoint: x"), "settings of the object store are invalid (Invalid endpoint: x)", 2),
    ],
)
def test_a_store_that_gives_nothing_is_told_with_the_release(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str, code: int
) -> None:
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", "http://s3")
    monkeypatch.setattr(stores, "_client", lambda endpoint: Bucket({}, error))
    pinned = a_release(uri="s3://models/m")
    with pytest.raises(SlipwayError) as raised:
        verify(pinned)
    assert str(raised.value).startswith(f"releases/churn/{pinned.id}.yaml: artifact.uri: s3://models/m: {message}")
    assert raised.value.exit_code == code


def test_a_store_that_is_away_is_told_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    started = time.monotonic()
    with pytest.raises(SlipwayError, match="cannot be reached") as raised:
        hash_artifact("s3://models/m")
    assert raised.value.exit_code == ExitCode.UNREACHABLE
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("mlflow-artifacts:/0/models/m-1/artifacts", "; give the MLflow server an s3:// artifact root"),
        ("gs://bucket/model", "expected s3://<bucket>/<path>"),
        ("s3:///model", "expected s3://<bucket>/<path>"),
    ],
)
def test_an_address_that_no_server_could_fetch_is_refused(uri: str, message: str) -> None:
    with pytest.raises(SlipwayError, match=f"^{uri}: not an address that a model server can fetch; .*{message}$"):
        stores.open_store(uri)


def test_a_gone_artifact_is_an_empty_tree(bucket: Bucket) -> None:
    with pytest.raises(SlipwayError, match=r"^s3://models/gone: empty artifact tree; expected at least one file"):
        hash_artifact("s3://models/gone")


def test_paths_that_clash_are_refused_before_anything_is_read(bucket: Bucket) -> None:
    bucket.contents["m/mlmodel"] = b""
    with pytest.raises(SlipwayError, match=r"^s3://models/m: 'mlmodel': differs from MLmodel only in case"):
        hash_artifact("s3://models/m")
    assert bucket.read == 0


def test_a_symlink_in_a_local_artifact_is_refused_before_anything_is_read(model: Path) -> None:
    (model / "link").symlink_to("/etc/passwd")
    with pytest.raises(SlipwayError, match="'link': a symbolic link"):
        artifacts.hash_artifact(f"file://{model}")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        (None, "no registry: set slipway:registry.tracking_uri of the stack, or MLFLOW_TRACKING_URI"),
        ("sqlite:///gone.db", "registry sqlite:///gone.db: no such file; expected an MLflow database"),
        ("./mlruns", "registry ./mlruns: expected http://, https:// or sqlite:///"),
        ("ftp://me:pw@host/x", "registry ftp://host/x: expected http://, https:// or sqlite:///"),
    ],
)
def test_a_registry_address_is_checked_before_anything_is_imported_or_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str | None, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(SlipwayError) as raised:
        Registry(uri)
    assert str(raised.value) == message
    assert list(tmp_path.iterdir()) == []


def test_a_password_is_never_shown() -> None:
    assert shown("https://me:pw@mlflow.example.com/x") == "https://mlflow.example.com/x"
    assert shown("https://mlflow.example.com/a@b") == "https://mlflow.example.com/a@b"
