"""The Kubernetes client, against an adapter that answers instead of a server."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from slipway.clients.kube import APPLY, Kube, KubeError
from slipway.errors import ExitCode

CORE = {
    "resources": [
        {"name": "services", "kind": "Service", "namespaced": True},
        {"name": "services/status", "kind": "Service", "namespaced": True},
        {"name": "nodes", "kind": "Node", "namespaced": False},
    ]
}
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "churn", "namespace": "models"}}

Answer = tuple[int, bytes] | Exception


class Server(BaseAdapter):
    """Answers each request by a function; discovery of the core group is built in."""

    def __init__(self, answer: Callable[[requests.PreparedRequest], Answer]) -> None:
        super().__init__()
        self.answer, self.seen = answer, list[requests.PreparedRequest]()

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        found: Answer = (200, json.dumps(CORE).encode())
        if not str(request.url).endswith("/api/v1"):
            self.seen.append(request)
            found = self.answer(request)
        if isinstance(found, Exception):
            raise found
        response = requests.Response()
        response.status_code, response.raw, response.request = found[0], io.BytesIO(found[1]), request
        return response

    def close(self) -> None:
        """Nothing is open."""


def client(answer: Callable[[requests.PreparedRequest], Answer]) -> tuple[Kube, Server]:
    session, server = requests.Session(), Server(answer)
    session.mount("https://", server)
    return Kube("https://cluster/", session), server


def status(code: int, reason: str, message: str) -> Answer:
    return code, json.dumps({"kind": "Status", "code": code, "reason": reason, "message": message}).encode()


def events(*found: tuple[str, dict[str, Any]]) -> Answer:
    return 200, b"\n".join(json.dumps({"type": kind, "object": obj}).encode() for kind, obj in found)


def with_status(ready: bool) -> dict[str, Any]:
    return {**SERVICE, "status": {"ready": ready}}


def test_paths_come_from_discovery_asked_once():
    asked = []
    kube, _ = client(lambda request: asked.append(request) or (200, b"{}"))
    assert (
        kube.url_of("v1", "Service", "models", "churn", "status") == "/api/v1/namespaces/models/services/churn/status"
    )
    assert kube.url_of("v1", "Node", "models", "one") == "/api/v1/nodes/one"
    assert kube.is_namespaced("v1", "Service")
    assert not kube.is_namespaced("v1", "Node")
    assert asked == []


def test_an_unknown_kind_is_named():
    kube, _ = client(lambda _: (200, b"{}"))
    with pytest.raises(KubeError, match="has no kind v1 Canary") as told:
        kube.get("v1", "Canary", "churn")
    assert told.value.status == 404


def test_a_write_is_strict_and_says_who_writes():
    kube, server = client(lambda _: (200, b"{}"))
    kube.create(SERVICE, field_manager="me", dry_run=True)
    kube.apply(SERVICE, force=True)
    created, applied = server.seen
    assert created.method == "POST"
    assert created.path_url.startswith("/api/v1/namespaces/models/services?")
    assert {"fieldManager=me", "fieldValidation=Strict", "dryRun=All"} <= set(created.path_url.split("?")[1].split("&"))
    assert (applied.method, applied.headers["Content-Type"]) == ("PATCH", APPLY)
    assert {"force=true", "fieldValidation=Strict"} <= set(applied.path_url.split("?")[1].split("&"))
    assert "dryRun" not in applied.path_url


def test_what_is_not_there_is_found_as_none_and_deleted_already():
    kube, _ = client(lambda _: status(404, "NotFound", "services churn not found"))
    assert kube.find("v1", "Service", "churn", "models") is None
    kube.delete("v1", "Service", "churn", "models")


def test_a_refusal_keeps_the_server_s_own_words():
    kube, _ = client(lambda _: status(403, "Forbidden", "no, you may not"))
    for ask in (kube.find, kube.delete):
        with pytest.raises(KubeError, match="no, you may not") as told:
            ask("v1", "Service", "churn", "models")
        assert (told.value.status, told.value.reason, told.value.exit_code) == (403, "Forbidden", ExitCode.USER)


def test_a_server_that_does_not_answer_is_unreachable():
    kube, _ = client(lambda _: requests.ConnectionError("refused"))
    with pytest.raises(KubeError, match="https://cluster cannot be reached") as told:
        kube.get("v1", "Node", "one")
    assert (told.value.status, told.value.exit_code) == (0, ExitCode.UNREACHABLE)


def test_listed_items_say_what_they_are():
    kube, server = client(lambda _: (200, json.dumps({"items": [{"metadata": {"name": "churn"}}]}).encode()))
    assert kube.list("v1", "Service", "models", "app=x") == [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "churn"}}
    ]
    assert server.seen[0].path_url.endswith("?labelSelector=app%3Dx")


def test_waiting_ends_with_the_event_that_fits():
    kube, server = client(
        lambda _: events(
            ("ADDED", with_status(False)), ("DELETED", {**with_status(True), "old": 1}), ("MODIFIED", with_status(True))
        )
    )
    kinds = list(kube.watch("v1", "Service", "models"))
    assert [kind for kind, _ in kinds] == ["ADDED", "DELETED", "MODIFIED"]
    found = kube.wait_for("v1", "Service", "churn", "models", lambda obj: obj["status"]["ready"], timeout=5)
    assert found == with_status(True)
    assert "fieldSelector=metadata.name%3Dchurn" in server.seen[-1].path_url


def test_waiting_in_vain_says_what_was_seen_last():
    kube, _ = client(lambda _: events(("ADDED", with_status(False))))
    with pytest.raises(TimeoutError, match=r'Service churn: not as expected .* \{"ready": false\}'):
        kube.wait_for("v1", "Service", "churn", "models", lambda obj: obj["status"]["ready"], timeout=0.2)


def test_waiting_outlives_a_server_that_is_away_for_a_moment():
    answers = iter([requests.ConnectionError("away"), events(("ADDED", with_status(True)))])
    kube, _ = client(lambda _: next(answers))
    assert kube.wait_for("v1", "Service", "churn", "models", lambda _: True, timeout=5)["status"]["ready"]


def test_a_watch_that_the_server_ends_with_an_error_is_one():
    gone = {"code": 410, "reason": "Expired", "message": "too old resource version"}
    kube, _ = client(lambda _: events(("ERROR", gone)))
    with pytest.raises(KubeError, match="too old") as told:
        list(kube.watch("v1", "Service", "models"))
    assert told.value.status == 410
