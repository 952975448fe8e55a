"""The registry client over a server that is faked page by page: what it asks, how often, with how much patience."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builders import a_spec

from slipway.errors import ExitCode, SlipwayError
from slipway.models.digest import Tree
from slipway.models.spec import ModelSpec
from slipway.registry import Registry, artifacts, client, connection

COMMIT = "c" * 40


class Page(list[Any]):
    """A page as MLflow's client returns it."""

    token: str | None = None


class FakeServer:
    """Registered models with versions, given out in pages no larger than asked for."""

    def __init__(self, models: int, versions: int = 1) -> None:
        self.calls: list[str] = []
        self.names = [f"m-{index:05}" for index in range(models)]
        self.count = versions
        self.failures: list[Exception] = []
        self.limits: list[tuple[str | None, str | None]] = []

    def _page(self, call: str, rows: list[Any], max_results: int, page_token: str | None) -> Page:
        self.calls.append(call)
        names = ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT")
        self.limits.append((os.environ.get(names[0]), os.environ.get(names[1])))
        if self.failures:
            raise self.failures.pop(0)
        start = int(page_token or 0)
        page = Page(rows[start : start + max_results])
        page.token = str(start + max_results) if start + max_results < len(rows) else None
        return page

    def search_registered_models(self, **page: Any) -> Page:
        rows = [SimpleNamespace(name=name, aliases={"champion": str(self.count)}) for name in self.names]
        return self._page("models", rows, **page)

    def search_model_versions(self, **page: Any) -> Page:
        rows = [
            SimpleNamespace(
                name=name,
                version=str(version),
                source=f"models:/m-{name}-{version}",
                run_id=f"r-{name}-{version}",
                tags={"git_commit": COMMIT, "dataset_sha256": "d" * 64},
            )
            for name in self.names
            for version in range(1, self.count + 1)
        ]
        return self._page("versions", rows, **page)

    def search_experiments(self, view_type: int, **page: Any) -> Page:
        return self._page("experiments", [SimpleNamespace(experiment_id="0")], **page)

    def search_logged_models(self, experiment_ids: list[str], filter_string: str, **page: Any) -> Page:
        assert experiment_ids == ["0"]
        rows = [
            SimpleNamespace(model_id=model_id, artifact_location=f"s3://models/{model_id}", tags={}, metrics=None)
            for model_id in re.findall(r"'([^']+)'", filter_string)
        ]
        return self._page("logged models", rows, **page)

    def search_runs(self, experiment_ids: list[str], filter_string: str, run_view_type: int, **page: Any) -> Page:
        rows = [
            SimpleNamespace(
                info=SimpleNamespace(run_id=run_id), data=SimpleNamespace(tags={}, metrics={"f1": 0.5}), inputs=None
            )
            for run_id in re.findall(r"'([^']+)'", filter_string)
        ]
        return self._page("runs", rows, **page)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))
    texts = {"MLmodel": "flavors: {sklearn: {}}\nmlflow_version: 3.17.2\n"}
    read = artifacts.ArtifactTree(Tree("sha256:" + "a" * 64, 1, 1), texts)
    monkeypatch.setattr(client, "read_artifact", lambda uri: read)


def registry(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setattr(connection.Connection, "_client", server)
    return Registry("http://registry.example.com")


def specs(server: FakeServer) -> dict[str, ModelSpec]:
    return {name: a_spec(name) for name in server.names}


@pytest.mark.parametrize(("models", "versions"), [(1, 1), (1000, 3), (1001, 11)])
def test_calls_grow_with_pages_only(monkeypatch: pytest.MonkeyPatch, models: int, versions: int) -> None:
    server = FakeServer(models, versions)
    listing = math.ceil(models / 1_000) + math.ceil(models * versions / 10_000)
    cold = registry(server, monkeypatch).resolve(specs(server), "champion")
    assert len(cold) == models
    assert len(server.calls) == listing + 1 + 2 * math.ceil(models / 1_000)

    server.calls.clear()
    assert registry(server, monkeypatch).resolve(specs(server), "champion") == cold
    assert len(server.calls) == listing
    assert set(server.calls) == {"models", "versions"}


def test_what_was_read_once_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(3, 2)
    one = registry(server, monkeypatch)
    wanted, asked = one.resolve(specs(server), "champion"), len(server.calls)
    assert one.champions("champion") == dict.fromkeys(server.names, 2)
    assert one.release_of(a_spec("m-00001"), 2) == wanted["m-00001"]
    assert len(server.calls) == asked
    older = one.running(specs(server), dict.fromkeys(server.names, 1))
    assert {release.version for release in older.values()} == {1}
    assert server.calls[asked:] == ["logged models", "runs"]


def test_a_cached_fact_that_is_broken_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(2)
    cold = registry(server, monkeypatch).resolve(specs(server), "champion")
    cache = client.cache.registry_cache()
    keys = [row[0] for row in cache._db.execute("SELECT key FROM entry WHERE kind = 'facts'")]
    cache.put("facts", dict.fromkeys(keys, "{}"))
    assert registry(server, monkeypatch).resolve(specs(server), "champion") == cold


def test_a_missing_model_is_told_with_how_many_more(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(2)
    wanted = {name: a_spec(name) for name in ("other", "another", "m-00001")}
    with pytest.raises(SlipwayError) as raised:
        registry(server, monkeypatch).resolve(wanted, "champion")
    assert str(raised.value) == (
        "models/other.yaml: registered_model: no registered model 'other' in http://registry.example.com;"
        " it has 2 others (+1 more)"
    )


def _failure(message: str, **arguments: Any) -> Exception:
    from mlflow.exceptions import MlflowException

    return MlflowException(message, **arguments)


@pytest.mark.filterwarnings("ignore")
def test_a_slow_server_that_says_it_is_healthy_gets_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT", raising=False)
    server = FakeServer(2)
    server.failures = [_failure("API request to x failed with timeout exception read timed out")]
    one = registry(server, monkeypatch)
    monkeypatch.setattr(connection.Connection, "_healthy", lambda self: True)
    assert len(one.resolve(specs(server), "champion")) == 2
    assert server.limits[:2] == [("0", "3"), ("2", "60")]
    assert set(server.limits[1:]) == {("2", "60")}
    assert "MLFLOW_HTTP_REQUEST_TIMEOUT" not in os.environ


@pytest.mark.filterwarnings("ignore")
def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(2)
    server.failures = [_failure("API request to x failed with exception too many 500 error responses")] * 3
    one = registry(server, monkeypatch)
    monkeypatch.setattr(connection.Connection, "_healthy", lambda self: True)
    with pytest.raises(SlipwayError, match="cannot be reached"):
        one.resolve(specs(server), "champion")
    assert server.calls == ["models", "models"]


@pytest.mark.filterwarnings("ignore")
def test_a_server_that_is_away_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(2)
    server.failures = [_failure("API request to x failed with exception connection refused")]
    one = registry(server, monkeypatch)
    monkeypatch.setattr(connection.Connection, "_healthy", lambda self: False)
    with pytest.raises(SlipwayError, match=r"^registry http://registry.example.com cannot be reached") as raised:
        one.resolve(specs(server), "champion")
    assert raised.value.exit_code == ExitCode.UNREACHABLE
    assert server.calls == ["models"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("UNAUTHENTICATED", "refuses these credentials; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
        ("ENDPOINT_NOT_FOUND", "is no MLflow 3 server; check the address"),
        ("INVALID_PARAMETER_VALUE", r"answered with an error \(INVALID_PARAMETER_VALUE: a line\)"),
    ],
)
def test_an_answer_that_is_an_error_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, code: str, told: str) -> None:
    from mlflow.protos.databricks_pb2 import ErrorCode

    server = FakeServer(1)
    server.failures = [_failure("a line\nanother", error_code=ErrorCode.Value(code))]
    with pytest.raises(SlipwayError, match=f"^registry http://registry.example.com {told}$"):
        registry(server, monkeypatch).champions("champion")
