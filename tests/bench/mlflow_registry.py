"""A real MLflow server full of models, behind a proxy that counts."""

from __future__ import annotations

import http.client
import math
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.bench.servers import BUCKET, answering, await_answer, free_port

#: The largest pages that MLflow gives (mlflow/store/model_registry/__init__.py).
MODELS_PAGE, VERSIONS_PAGE = 1_000, 10_000
ALIAS = "champion"


def allowed_calls(models: int, versions: int) -> int:
    """Say how many calls the listing of a registry takes at most."""
    return math.ceil(models / MODELS_PAGE) + math.ceil(versions / VERSIONS_PAGE)


def fill(database: Path, models: Iterable[str], versions: int) -> None:
    """Make MLflow's database, then put registered models straight into its tables: through the API it takes minutes.

    Each has `versions` versions with what a release must name in tags; the alias names the first.
    """
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(f"sqlite:///{database}").engine.dispose()
    now = int(time.time() * 1000)
    names = list(models)
    rows = [(name, version) for name in names for version in range(1, versions + 1)]
    run_ids = {row: f"{number:032x}" for number, row in enumerate(rows)}
    with sqlite3.connect(database) as db:
        _insert(db, "registered_models", ({"name": n, "creation_time": now, "last_updated_time": now} for n in names))
        _insert(
            db,
            "model_versions",
            (
                {
                    "name": name,
                    "version": version,
                    "creation_time": now,
                    "last_updated_time": now,
                    "current_stage": "None",
                    "source": f"s3://{BUCKET}/{name}/{version}",
                    "run_id": run_ids[name, version],
                    "status": "READY",
                }
                for name, version in rows
            ),
        )
        _insert(
            db,
            "runs",
            (
                {"run_uuid": run_id, "status": "FINISHED", "lifecycle_stage": "active", "experiment_id": 0}
                | {
                    "name": "training",
                    "user_id": "bench",
                    "start_time": now,
                    "end_time": now,
                    "artifact_uri": f"s3://{BUCKET}/runs",
                }
                for run_id in run_ids.values()
            ),
        )
        _insert(
            db,
            "latest_metrics",
            (
                {"run_uuid": run_id, "key": "accuracy", "value": 0.9, "timestamp": now, "step": 0, "is_nan": False}
                for run_id in run_ids.values()
            ),
        )
        tags = {"git_commit": "c" * 40, "dataset": "training", "dataset_sha256": "d" * 64}
        _insert(
            db,
            "model_version_tags",
            (
                {"name": name, "version": version, "key": key, "value": value}
                for name, version in rows
                for key, value in tags.items()
            ),
        )
        _insert(db, "registered_model_aliases", ({"name": n, "alias": ALIAS, "version": 1} for n in names))
    db.close()


def _insert(db: sqlite3.Connection, table: str, rows: Iterable[dict[str, object]]) -> None:
    found = list(rows)
    columns = list(found[0])
    marks = ", ".join("?" for _ in columns)
    db.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", [tuple(r.values()) for r in found])


@contextmanager
def server(database: Path) -> Iterator[str]:
    """Run MLflow's own server; yields its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{database}", "--workers", "1"]
    settings = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    log = database.with_suffix(".log").open("wb")
    process = subprocess.Popen(
        command, env=settings, cwd=database.parent, stdout=log, stderr=log, start_new_session=True
    )
    try:
        await_answer(f"{address}/health", process, 120.0)
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait()
        log.close()


class CountingProxy:
    """Passes requests on to a server, and counts them by method and path."""

    def __init__(self, upstream: str) -> None:
        self.calls: Counter[str] = Counter()
        host, _, port = upstream.removeprefix("http://").partition(":")
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy.calls[f"{self.command} {self.path.partition('?')[0]}"] += 1
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                connection = http.client.HTTPConnection(host, int(port), timeout=120)
                try:
                    connection.request(self.command, self.path, body, dict(self.headers.items()))
                    answer = connection.getresponse()
                    content = answer.read()
                finally:
                    connection.close()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[CountingProxy]:
        """Answer until the end of the block."""
        with answering(self._server):
            yield self
