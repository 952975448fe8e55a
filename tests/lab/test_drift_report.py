"""Evidently's own report of what observe remembers, in the environment of its image."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from projects import CHECKOUT

from slipway.tools import toolchain

pytestmark = pytest.mark.platform

#: The same plans on both sides; people who are twenty years older on one.
OTHERS = [{"age": 20 + row % 30, "plan": ("basic", "pro")[row % 2]} for row in range(200)]
ROWS = [{**row, "age": row["age"] + 20} for row in OTHERS]
COMPARISON = {"namespace": "models", "model": "churn", "version": "3", "against": "reference"}


@pytest.fixture
def observe() -> Iterator[str]:
    """A service that answers as observe's /v1/samples does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/v1/samples" else 404)
            self.end_headers()
            self.wfile.write(json.dumps([{**COMPARISON, "rows": ROWS, "others": OTHERS}]).encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def report(*arguments: str) -> subprocess.CompletedProcess[str]:
    toolchain.ensure("evidently")
    python = toolchain.venv("evidently") / "bin" / "python"
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    command = [str(python), "-W", "ignore", "-m", "slipway.observe.report", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_a_page_shows_the_column_that_drifted_and_no_other(observe: str, tmp_path: Path) -> None:
    done = report(f"--observe={observe}", f"--directory={tmp_path}")
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = done.stdout.splitlines()
    said = json.loads(line)
    assert said == {**COMPARISON, "rows": 200, "columns": 2, "drifted": ["age"], "page": said["page"]}
    assert "Drift" in (tmp_path / said["page"]).read_text()


def test_an_observe_that_is_away_is_one_line(tmp_path: Path) -> None:
    done = report("--observe=http://127.0.0.1:1", f"--directory={tmp_path}")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "observe http://127.0.0.1:1: cannot be reached" in done.stderr
