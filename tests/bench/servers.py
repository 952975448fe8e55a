"""What Slipway's program talks to besides the engine: an API server's lists, an S3 store."""

from __future__ import annotations

import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from slipway.tools import toolchain

#: The kinds that the program lists, as the API server's discovery names them.
_KINDS = {
    ("v1", "Service"): "services",
    ("serving.kserve.io/v1beta1", "InferenceService"): "inferenceservices",
    ("flagger.app/v1beta1", "Canary"): "canaries",
}
_STATUS = {
    "InferenceService": {"conditions": [{"type": "Ready", "status": "True"}]},
    "Canary": {"phase": "Initialized", "canaryWeight": 0},
}

BUCKET = "models"
#: Credentials of a store that lives as long as the bench does.
S3_KEY, S3_SECRET = "bench", "bench-secret"


class Cluster:
    """An API server that only lists, from bytes made beforehand: what a cluster's answer costs to make is not ours."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._answers: dict[str, bytes] = {}
        self.requests = 0
        self.show(())
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                cluster.requests += 1
                body = cluster._answers.get(self.path.partition("?")[0])
                self.send_response(200 if body else 404)
                body = body or b'{"kind":"Status","code":404,"reason":"NotFound","message":"not found"}'
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def show(self, manifests: Iterable[Mapping[str, Any]]) -> None:
        """Let the cluster have these objects, all settled, and no other."""
        items: dict[tuple[str, str], list[Any]] = {kind: [] for kind in _KINDS}
        for manifest in manifests:
            kind = (manifest["apiVersion"], manifest["kind"])
            if kind in items:
                items[kind].append({**manifest, "status": _STATUS.get(kind[1], {})})
        answers, resources = {}, dict[str, list[Any]]()
        for (version, kind), plural in _KINDS.items():
            root = "/api/v1" if version == "v1" else f"/apis/{version}"
            resources.setdefault(root, []).append({"name": plural, "kind": kind, "namespaced": True})
            content = {"kind": f"{kind}List", "apiVersion": version, "items": items[version, kind]}
            answers[f"{root}/namespaces/{self._namespace}/{plural}"] = json.dumps(content).encode()
        self._answers = {
            **{root: json.dumps({"resources": found}).encode() for root, found in resources.items()},
            **answers,
        }

    def kubeconfig(self) -> str:
        """Return a kubeconfig of it."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "bench", "cluster": {"server": self.url}}],
            "users": [{"name": "bench", "user": {}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
            "current-context": "bench",
        }
        return json.dumps(config)

    @contextmanager
    def running(self) -> Iterator[Cluster]:
        """Answer until the end of the block."""
        with answering(self._server):
            yield self


@contextmanager
def answering(server: ThreadingHTTPServer) -> Iterator[None]:
    """Let a server answer until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def object_store(directory: Path) -> Iterator[dict[str, str]]:
    """Serve a directory by the lab's own S3 server; yields the environment of its clients."""
    (directory / BUCKET).mkdir(parents=True)
    # Not `<directory>-…`: versitygw takes every path that starts with its root for one inside it.
    metadata = directory.with_name(f"metadata-{directory.name}")
    metadata.mkdir()
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [str(toolchain.binary("versitygw")), "--quiet", "--health=/health", f"--port=127.0.0.1:{port}"]
    command += ["posix", "--sidecar", str(metadata), str(directory)]
    keys = {"ROOT_ACCESS_KEY": S3_KEY, "ROOT_SECRET_KEY": S3_SECRET}
    server = subprocess.Popen(command, env=keys, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await_answer(f"{address}/health", server)
        yield {
            "AWS_ACCESS_KEY_ID": S3_KEY,
            "AWS_SECRET_ACCESS_KEY": S3_SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": address,
        }
    finally:
        server.terminate()
        server.wait()


def await_answer(url: str, server: subprocess.Popen[bytes], seconds: float = 20.0) -> None:
    """Return when a server that was just started answers.

    Raises:
        RuntimeError: It ended, or took too long.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)  # nothing listens yet: there is no event to wait for
    raise RuntimeError(f"{url}: no answer; its server {'has ended' if server.poll() is not None else 'is too slow'}")


def free_port() -> int:
    """Find a port that nothing listens on."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as probe:
        return probe.server_port
