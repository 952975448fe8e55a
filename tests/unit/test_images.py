"""Images get digests: from a registry on loopback, by the real HTTP client."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from slipway.clients.image_registry import Reference, digest
from slipway.errors import ExitCode, SlipwayError
from slipway.platform.images import Images, load, pinned, references

MANIFEST = b'{"schemaVersion": 2}'
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"


class Handler(BaseHTTPRequestHandler):
    """A registry with one image behind a token, another that lies, another that is private."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/token":
            self.answer(200, json.dumps({"token": "t"}).encode())
        elif path == "/v2/a/open/manifests/1":
            self.answer(200, MANIFEST, {"Docker-Content-Digest": DIGEST})
        elif path == "/v2/a/guarded/manifests/1" and self.headers.get("Authorization") == "Bearer t":
            self.answer(200, MANIFEST)
        elif path in ("/v2/a/guarded/manifests/1", "/v2/a/private/manifests/1"):
            host, port = self.server.server_address[:2]
            where = f'Bearer realm="http://{host!s}:{port}/token",service="here"'
            self.answer(401, b"{}", {"WWW-Authenticate": where})
        elif path == "/v2/a/lies/manifests/1":
            self.answer(200, MANIFEST, {"Docker-Content-Digest": f"sha256:{'0' * 64}"})
        else:
            self.answer(404, b"{}")

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.mark.parametrize("image", ["a/open:1", "a/guarded:1"])
def test_the_digest_is_the_hash_of_what_the_registry_sends(
    registry: str, session: requests.Session, image: str
) -> None:
    assert digest(f"{registry}/{image}", session) == DIGEST


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("a/lies:1", "sent bytes that differ from the digest in its header"),
        ("a/private:1", "requires a login; copy it to a registry of yours"),
        ("a/none:1", "has no such image (status 404)"),
    ],
)
def test_what_cannot_be_locked_is_said(registry: str, session: requests.Session, image: str, said: str) -> None:
    with pytest.raises(SlipwayError) as caught:
        digest(f"{registry}/{image}", session)
    assert str(caught.value) == f"image {registry}/{image}: {registry} {said}"


def test_a_registry_that_is_away_is_said(session: requests.Session) -> None:
    with pytest.raises(SlipwayError, match=r"registry 127\.0\.0\.1:1 cannot be reached") as caught:
        digest("127.0.0.1:1/a/b:1", session)
    assert caught.value.exit_code is ExitCode.UNREACHABLE


@pytest.mark.parametrize(
    ("image", "parsed"),
    [
        ("kserve/agent:v0.20.0", ("registry-1.docker.io", "kserve/agent", "v0.20.0")),
        ("docker.io/library/traefik:v3.6.0", ("registry-1.docker.io", "library/traefik", "v3.6.0")),
        ("redis:7", ("registry-1.docker.io", "library/redis", "7")),
        ("ghcr.io/fluxcd/flagger:1.41.0", ("ghcr.io", "fluxcd/flagger", "1.41.0")),
        ("localhost:5000/a/b:1", ("localhost:5000", "a/b", "1")),
    ],
)
def test_a_name_is_taken_apart_as_container_runtimes_do(image: str, parsed: tuple[str, str, str]) -> None:
    assert Reference.parse(image) == Reference(*parsed)


def test_a_registry_elsewhere_is_never_asked_in_the_clear() -> None:
    assert Reference.parse("localhost.example.com/a:1").url.startswith("https://")
    assert Reference.parse("registry.example.com:5000/a:1").url.startswith("https://registry.example.com:5000/v2/a/")


POD = {"containers": [{"name": "a", "image": "a/b:1"}], "initContainers": [{"name": "c", "image": "c/d:2"}]}
OBJECTS = (
    {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": {"template": {"spec": POD}}},
    {"apiVersion": "v1", "kind": "ClusterStorageContainer", "metadata": {"name": "s"}, "spec": {"image": "e/f:3"}},
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "inferenceservice-config"},
        "data": {"agent": '{"image" : "g/h:4", "cpu": "1"}', "deploy": '{"mode":  "x"}', "_example": "{"},
    },
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}, "data": {"image": "not:an-image"}},
    {"apiVersion": "v1", "kind": "CustomResourceDefinition", "metadata": {"name": "d"}, "spec": {"image": "i/j:5"}},
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"image": f"k/l:6@{DIGEST}"}},
)


def test_every_image_without_a_digest_is_found_those_that_kserve_keeps_as_text_too() -> None:
    assert references(OBJECTS[:3]) == {"a/b:1", "c/d:2", "e/f:3", "g/h:4"}
    assert references(OBJECTS[3:]) == set()


def test_locked_images_get_their_digest_and_nothing_else_changes() -> None:
    found = pinned(OBJECTS, Images(images={"a/b:1": DIGEST, "g/h:4": DIGEST}))
    containers = found[0]["spec"]["template"]["spec"]["containers"]
    assert containers == [{"name": "a", "image": f"a/b:1@{DIGEST}"}]
    assert json.loads(found[2]["data"]["agent"]) == {"image": f"g/h:4@{DIGEST}", "cpu": "1"}
    assert found[2]["data"]["deploy"] == '{"mode":  "x"}'
    assert (found[1], *found[3:]) == (OBJECTS[1], *OBJECTS[3:])
    assert references(found[:3]) == {"c/d:2", "e/f:3"}


def test_a_project_without_a_lock_file_has_no_digest_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    assert load(tmp_path) == Images()
    (tmp_path / "images.yaml").write_text("images:\n  a/b:1: sha256:123\n")
    with pytest.raises(SlipwayError, match="expected a text that matches"):
        load(tmp_path)
