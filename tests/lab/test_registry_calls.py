"""The registry client against a real MLflow server, its requests counted by a proxy."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from builders import an_environment

from slipway.delivery.acts import Recorded
from slipway.delivery.books import Books
from slipway.errors import ExitCode, SlipwayError
from slipway.models.spec import AtLeast, AtMost, Gate, ModelSpec, Objectives, Rollout
from slipway.planning.environment import followed
from slipway.registry import Registry, hash_artifact, verify
from slipway.registry.aliases import move_alias
from slipway.rollout.observed import ObservedModel
from slipway.rollout.plan import Wanted, plan_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHA256 = "ab" * 32
MLMODEL = """\
flavors:
  python_function: {loader_module: mlflow.sklearn}
  sklearn: {serialization_format: skops, sklearn_version: 1.9.1}
mlflow_version: 3.17.2
signature:
  inputs: '[{"type": "double", "name": "age", "required": true}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
"""

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class CountingProxy:
    """Forwards to a server, remembering each request."""

    def __init__(self, upstream: str) -> None:
        self.calls: list[str] = []
        calls = self.calls

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self) -> None:
                calls.append(f"{self.command} {self.path.partition('?')[0]}")
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = requests.request(
                    self.command,
                    upstream + self.path,
                    data=body,
                    headers={"Content-Type": self.headers.get("Content-Type") or "application/json"},
                    timeout=30,
                )
                self.send_response(answer.status_code)
                self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_GET = do_POST = forward

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Seeded:
    """An MLflow server on a database of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.database = f"sqlite:///{directory}/mlflow.db"
        self._client: Any = None

    @property
    def client(self) -> Any:
        if self._client is None:
            from mlflow import MlflowClient

            self._client = MlflowClient(self.database, registry_uri=self.database)
        return self._client

    def add(self, name: str, accuracy: float = 0.95, **version_tags: str) -> int:
        """Register one more version, as training would, without the training."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        client = self.client
        run = client.create_run("0", tags={"mlflow.source.git.commit": COMMIT})
        used = DatasetInput(
            Dataset(name="people", digest="0a1b2c3d", source_type="local", source="{}", schema="", profile=""),
            [InputTag("mlflow.data.context", "training")],
        )
        client.log_inputs(run.info.run_id, datasets=[used])
        client.log_metric(run.info.run_id, "accuracy", accuracy)
        model = client.create_logged_model("0", name=name, source_run_id=run.info.run_id)
        folder = Path(model.artifact_location.removeprefix("file://"))
        folder.mkdir(parents=True)
        (folder / "MLmodel").write_text(MLMODEL)
        (folder / "model.skops").write_text(name)
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        version = client.create_model_version(
            name, f"models:/{model.model_id}", run.info.run_id, tags=version_tags, model_id=model.model_id
        )
        return int(version.version)

    def promote(self, name: str, version: int) -> None:
        self.client.set_registered_model_alias(name, "champion", str(version))


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    directory = tmp_path_factory.mktemp("registry")
    patch = pytest.MonkeyPatch()
    patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    seeded = Seeded(directory)
    # MLflow resolves a version's models:/m-… source through the process-wide address.
    patch.setenv("MLFLOW_TRACKING_URI", seeded.database)
    patch.chdir(directory)
    for index in range(10):
        seeded.promote(f"model-{index:02}", seeded.add(f"model-{index:02}"))
    yield seeded
    patch.undo()


@pytest.fixture(scope="module")
def server(seeded: Seeded) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", seeded.database, "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--no-serve-artifacts"]
    command += ["--default-artifact-root", f"file://{seeded.directory}/artifacts"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    log = (seeded.directory / "server.log").open("w")
    process = subprocess.Popen(command, cwd=seeded.directory, env=environment, stdout=log, stderr=log)
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
    try:
        while not _healthy(url):
            assert process.poll() is None, (seeded.directory / "server.log").read_text()
            assert time.monotonic() < deadline, "the server did not become healthy"
            time.sleep(0.1)  # nothing announces that an HTTP server listens
        yield url
    finally:
        process.terminate()
        process.wait(20)
        log.close()


@pytest.fixture
def proxy(server: str) -> Iterator[CountingProxy]:
    proxy = CountingProxy(server)
    yield proxy
    proxy.close()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))


def _healthy(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=1).ok
    except requests.RequestException:
        return False


def spec(name: str, registered_model: str = "", gates: tuple[Gate, ...] = ()) -> ModelSpec:
    return ModelSpec(
        name=name,
        registered_model=registered_model or name,
        owner="team",
        objectives=Objectives(success_rate_percent=AtLeast(at_least=99), latency_p95_ms=AtMost(at_most=250)),
        gates=gates,
        rollout=Rollout(requests_per_second=10),
    )


def specs(count: int) -> dict[str, ModelSpec]:
    return {name: spec(name) for name in (f"model-{index:02}" for index in range(count))}


def test_the_number_of_calls_does_not_grow_with_the_number_of_models(
    seeded: Seeded, proxy: CountingProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ten = Registry(proxy.url).resolve(specs(10), "champion")
    cold_for_ten = list(proxy.calls)
    proxy.calls.clear()
    Registry(proxy.url).resolve(specs(10), "champion")
    warm_for_ten = list(proxy.calls)

    for index in range(10, 30):
        seeded.promote(f"model-{index:02}", seeded.add(f"model-{index:02}"))
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "another"))
    proxy.calls.clear()
    thirty = Registry(proxy.url).resolve(specs(30), "champion")
    assert proxy.calls == cold_for_ten
    proxy.calls.clear()
    warm = Registry(proxy.url).resolve(specs(30), "champion")

    assert proxy.calls == warm_for_ten
    assert len(cold_for_ten) == 5
    assert warm_for_ten == [
        "GET /api/2.0/mlflow/registered-models/search",
        "GET /api/2.0/mlflow/model-versions/search",
    ]
    assert warm == thirty
    assert {name: thirty[name] for name in ten} == ten


def test_a_release_holds_what_the_registry_knows_of_a_version(seeded: Seeded, server: str) -> None:
    seeded.promote("facts", seeded.add("facts", git_commit="f" * 40, dataset_sha256=SHA256))

    release = Registry(server).resolve({"mine": spec("mine", "facts")}, "champion")["mine"]

    assert release.id.startswith("v1-")
    assert (release.model, release.registry.registered_model, release.version) == ("mine", "facts", 1)
    assert release.registry.model_id.startswith("m-")
    assert len(release.registry.run_id) == 32
    assert release.artifact == hash_artifact(release.artifact.uri)
    assert (release.artifact.files, release.artifact.size_bytes) == (2, len(MLMODEL) + len("facts"))
    assert (release.dataset.name, release.dataset.digest) == ("people", f"sha256:{SHA256}")
    assert release.git_commit == "f" * 40
    assert release.metrics == {"accuracy": 0.95}
    assert (release.signature.flavor, release.signature.serialization_format) == ("sklearn", "skops")
    assert [(column.name, column.type) for column in release.signature.inputs] == [("age", "double")]
    assert [(column.name, column.type) for column in release.signature.outputs] == [("", "int64[-1]")]


def test_a_changed_artifact_is_found_out(seeded: Seeded, server: str) -> None:
    seeded.promote("changed", seeded.add("changed"))
    release = Registry(server).resolve({"changed": spec("changed")}, "champion")["changed"]
    verify(release)
    file = Path(release.artifact.uri.removeprefix("file://")) / "model.skops"
    file.write_text("chAnged")

    with pytest.raises(SlipwayError) as raised:
        verify(release)

    assert str(raised.value).startswith(
        f"releases/changed/{release.id}.yaml: artifact.digest: artifact changed since it was pinned:"
        f" expected {release.artifact.digest}, found {hash_artifact(release.artifact.uri).digest}"
    )


@pytest.mark.parametrize(
    ("registered_model", "version", "alias", "message"),
    [
        ("model_07", None, "champion", "no registered model 'model_07' in {url}; nearest is 'model-07'"),
        ("model-00", None, "winner", "registered model 'model-00' has no alias 'winner'; it has champion (version 1)"),
        ("model-00", 9, None, "registered model 'model-00' has no version 9; it has 1"),
    ],
)
def test_what_the_registry_does_not_have_is_named(
    server: str, registered_model: str, version: int | None, alias: str, message: str
) -> None:
    registry, mine = Registry(server), spec("mine", registered_model)
    with pytest.raises(SlipwayError) as raised:
        registry.release_of(mine, version) if version else registry.resolve({"mine": mine}, alias)
    assert str(raised.value).startswith("models/mine.yaml: registered_model: " + message.format(url=server))
    assert raised.value.exit_code == ExitCode.USER


def test_a_gate_refuses_by_name_until_its_metric_is_logged(seeded: Seeded, server: str) -> None:
    seeded.promote("gated", seeded.add("gated", accuracy=0.8))
    gated = {"gated": spec("gated", gates=(Gate(metric="accuracy", at_least=0.7), Gate(metric="f1", at_least=0.9)))}
    message = (
        "models/gated.yaml: gates[1]: registered model 'gated' version 1 is refused:"
        " f1 is not recorded, expected at least 0.9"
    )
    with pytest.raises(SlipwayError) as raised:
        Registry(server).resolve(gated, "champion")
    assert str(raised.value) == message

    run_id = Registry(server).running(gated, {"gated": 1})["gated"].registry.run_id
    seeded.client.log_metric(run_id, "f1", 0.91)

    assert Registry(server).resolve(gated, "champion")["gated"].metrics == {"accuracy": 0.8, "f1": 0.91}


def test_a_copied_version_is_followed_to_its_model(seeded: Seeded, server: str) -> None:
    seeded.add("origin")
    seeded.client.copy_model_version("models:/origin/1", "copied")
    seeded.promote("copied", 1)
    release = Registry(server).resolve({"copied": spec("copied")}, "champion")["copied"]
    assert release.artifact == hash_artifact(Registry(server).release_of(spec("origin"), 1).artifact.uri)


def test_an_alias_moves_only_to_a_version_that_exists(seeded: Seeded, server: str) -> None:
    seeded.add("moved")
    seeded.promote("moved", seeded.add("moved"))
    assert move_alias(server, "moved", "champion", 1) == 2
    assert Registry(server).champions("champion")["moved"] == 1
    with pytest.raises(SlipwayError, match=r"^registered model 'moved' has no version 3; it has 1, 2$"):
        move_alias(server, "moved", "champion", 3)
    assert Registry(server).champions("champion")["moved"] == 1


def test_an_alias_of_a_pinned_environment_follows_what_serves(seeded: Seeded, server: str, tmp_path: Path) -> None:
    """The last step of `settle` and of `rollback`, where the environment names a registry."""
    seeded.promote("pinned", seeded.add("pinned"))
    seeded.add("pinned")
    environment = an_environment("prod", releases="pinned", alias="prod", registry={"tracking_uri": server})
    books = Books(tmp_path, environment, spec("pinned"))
    assert books.move_alias(2) == "registry: prod names version 2"
    assert books.move_alias(1, only_from=2) == "registry: prod names version 1 (was 2)"
    assert books.move_alias(1) == ""
    assert Registry(server).champions("prod")["pinned"] == Registry(server).champions("champion")["pinned"] == 1


def test_a_rejected_version_is_never_followed_again_though_nothing_more_is_asked(
    seeded: Seeded, server: str, proxy: CountingProxy, tmp_path: Path
) -> None:
    """An environment without pins has its rejections in the registry, and moves its alias off them."""
    seeded.add("tried")
    seeded.promote("tried", seeded.add("tried"))
    following, wanted = an_environment("dev", releases="follow", registry={"tracking_uri": proxy.url}), spec("tried")
    seen = {"tried": ObservedModel(live_version=1, target_version=2, phase="Failed")}

    def asked() -> Wanted:
        proxy.calls.clear()
        return followed({"tried": wanted}, following, seen)["tried"]

    asked()
    before = asked()
    calls = list(proxy.calls)
    assert (before.stable.version, before.candidate and before.candidate.version, before.rejected) == (1, 2, ())
    books = Books(tmp_path, following, wanted)
    said = books.reject("v2-000000000000", 2, "it lies", serves=False, back="v1-000000000000")
    assert said == "registry: v2-000000000000 is rejected: it lies"
    assert books.reject("v2-000000000000", 2, "another reason", serves=False, back="") == ""
    after = asked()
    assert proxy.calls == calls
    assert [(each.release, each.reason) for each in after.rejected] == [(before.candidate.id, "it lies")]
    plan = plan_model(wanted, after, seen["tried"])
    assert (plan.target, plan.declared) == (before.stable, (before.stable,))
    assert books.recorded() == Recorded(wanted=2, rejected={2: "it lies"})
    # killed here: nothing bad happens, and the same again goes on
    assert books.move_alias(1, only_from=2) == "registry: champion names version 1 (was 2)"
    assert books.move_alias(1, only_from=2) == ""
    assert asked().candidate is None
    assert books.recorded().wanted == 1
    # what is queued is left alone, by another command
    seeded.promote("tried", seeded.add("tried"))
    books = Books(tmp_path, following, wanted)
    assert books.move_alias(1, only_from=2) == ""
    queued = asked()
    assert (queued.candidate and queued.candidate.version, books.recorded().wanted) == (3, 3)


def test_a_database_is_read_without_a_server(seeded: Seeded, server: str) -> None:
    direct = Registry(seeded.database).resolve(specs(3), "champion")
    assert direct == Registry(server).resolve(specs(3), "champion")


def test_a_registry_that_refuses_connections_is_told_within_seconds() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://user:secret@127.0.0.1:{closed.getsockname()[1]}"
    _unreachable_within_seconds(url)


def test_a_registry_that_never_answers_is_told_within_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        _unreachable_within_seconds(f"http://127.0.0.1:{silent.getsockname()[1]}")


def _unreachable_within_seconds(url: str) -> None:
    import mlflow  # noqa: F401 - its import is not the outage

    started = time.monotonic()
    with pytest.raises(SlipwayError) as raised:
        Registry(url).resolve(specs(1), "champion")
    assert time.monotonic() - started < 5
    assert raised.value.exit_code == ExitCode.UNREACHABLE
    assert str(raised.value).endswith("cannot be reached; check that it runs, and its address")
    assert "secret" not in str(raised.value)
