"""The stream of users' requests, against a gateway on loopback that answers as a test says."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import pytest

from slipway.errors import SlipwayError
from slipway.traffic.requests import Request, Stream
from slipway.traffic.stream import NO_ANSWER, UNKNOWN, Traffic

Answered = tuple[int, Mapping[str, Any]]
URL = "http://churn.models.localhost/v2/models/churn/infer"


def answer(version: str = "3", prediction: float = 1) -> Answered:
    return 200, {"model_version": version, "outputs": [{"data": [prediction]}]}


@contextmanager
def gateway(respond: Callable[[int], Answered]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Serve; yields the address with (host, path) of what was asked. `respond` gets the request's number."""
    seen: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers["Host"], self.path))
            status, body = respond(len(seen))
            said = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Sink:
    """Remembers what it is told."""

    def __init__(self, fails: bool = False) -> None:
        self.fails, self.predictions, self.labels = fails, list[Any](), list[Any]()
        self.told = threading.Event()

    def predicted(self, predictions: Sequence[Mapping[str, Any]]) -> None:
        self._take(self.predictions, predictions)

    def labelled(self, labels: Sequence[Mapping[str, Any]]) -> None:
        self._take(self.labels, labels)

    def _take(self, into: list[Any], batch: Sequence[Mapping[str, Any]]) -> None:
        if self.fails:
            raise SlipwayError("observe: cannot be reached")
        into += batch
        self.told.set()


def stream(per_second: float = 200, *requests: Request) -> Stream:
    return Stream("churn", URL, requests or (Request(b"{}"),), per_second)


def until(traffic: Traffic, least: int) -> None:
    """Wait until so many requests have got their answers."""
    deadline = time.monotonic() + 10
    while traffic.requests("churn") < least:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_it_asks_the_models_host_and_path_until_it_is_stopped() -> None:
    with gateway(lambda _: answer()) as (url, seen), Traffic(url, [stream()]) as traffic:
        until(traffic, 10)
    assert len(seen) == traffic.requests("churn") >= 10
    assert set(seen) == {("churn.models.localhost", "/v2/models/churn/infer")}


def test_a_slow_server_is_asked_as_often_as_a_fast_one() -> None:
    def slowly(_: int) -> Answered:
        time.sleep(0.06)
        return answer()

    with gateway(slowly) as (url, seen), Traffic(url, [stream()]) as traffic:
        until(traffic, 1)
        assert len(seen) >= 5
    assert traffic.failed("churn") == 0
    assert all(each.seconds >= 0.06 for each in traffic.answers)


def test_requests_are_counted_by_the_version_that_answered_and_by_status() -> None:
    def one_in_three(number: int) -> Answered:
        return ((500, {"error": "no"}), answer("3"), answer("4"))[number % 3]

    with gateway(one_in_three) as (url, _), Traffic(url, [stream()]) as traffic:
        until(traffic, 9)
    answers = [(each.version, each.status) for each in traffic.answers]
    assert set(answers) == {("3", 200), ("4", 200), (UNKNOWN, 500)}
    assert traffic.failed("churn") == answers.count((UNKNOWN, 500))
    assert traffic.requests("churn") == len(answers)


def test_a_connection_that_fails_is_a_failed_request() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with Traffic(f"http://127.0.0.1:{closed.getsockname()[1]}", [stream()]) as traffic:
            until(traffic, 3)
    assert traffic.requests("churn") == traffic.failed("churn")
    assert {(each.version, each.status) for each in traffic.answers} == {(UNKNOWN, NO_ANSWER)}


def test_an_answer_under_way_at_the_end_is_waited_for() -> None:
    asked = threading.Event()

    def slowly(_: int) -> Answered:
        asked.set()
        time.sleep(0.05)
        return answer()

    with gateway(slowly) as (url, _):
        with Traffic(url, [stream()]) as traffic:
            assert asked.wait(5)
        assert traffic.requests("churn") > 0
        assert traffic.failed("churn") == 0


def test_labels_follow_their_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway.traffic.reports.REPORT_EVERY", 0.01)
    sink, request = Sink(), Request(b"{}", {"age": 40.0}, label=0.0)
    with (
        gateway(lambda _: answer("4", 1.0)) as (url, _),
        Traffic(url, [stream(100, request)], sink=sink, label_delay=60) as traffic,
    ):
        assert sink.told.wait(5)
        assert not sink.labels
    # What is left at the end is sent at once.
    names = {each.pop("id") for each in sink.predictions}
    assert len(names) == len(sink.predictions) == len(sink.labels) == traffic.requests("churn")
    assert sink.predictions[0] == {
        "namespace": "models",
        "model": "churn",
        "version": "4",
        "inputs": {"age": 40.0},
        "prediction": 1.0,
    }
    assert {each["id"] for each in sink.labels} == names
    assert {each["label"] for each in sink.labels} == {0.0}
    assert traffic.unreported == 0


def test_an_answer_that_names_no_version_is_not_reported() -> None:
    sink = Sink()
    with (
        gateway(lambda _: answer(version="")) as (url, _),
        Traffic(url, [stream()], sink=sink) as traffic,
    ):
        until(traffic, 3)
    assert {each.version for each in traffic.answers} == {UNKNOWN}
    assert not sink.predictions


def test_an_observer_that_is_away_holds_no_request_up() -> None:
    away, requests = Sink(fails=True), stream(100, Request(b"{}", label=1.0))
    with gateway(lambda _: answer()) as (url, _), Traffic(url, [requests], sink=away) as traffic:
        until(traffic, 3)
    assert traffic.failed("churn") == 0
    assert traffic.unreported == 2 * traffic.requests("churn")


def test_two_models_are_not_asked_in_step() -> None:
    other = Stream("fraud", URL, (Request(b"{}"),), 50)
    with gateway(lambda _: answer()) as (url, _), Traffic(url, [stream(50), other]) as traffic:
        until(traffic, 3)
    moments = sorted(each.at for each in traffic.answers)
    assert min(after - before for before, after in pairwise(moments)) > 0.002
