"""The endpoints, without a socket."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from judging import POLICY, a_look

from slipway.judge import service
from slipway.judge.answers import Judge
from slipway.judge.decide import Look
from slipway.judge.ledger import Ledger

POLICY_TEXT = POLICY.text()


class Looking(Judge):
    """A judge who sees what a test says, instead of a cluster."""

    seen: Any = None

    def look(self, namespace: str, model: str, policy: Any = None, counted: bool = True) -> Look:
        if isinstance(self.seen, Exception):
            raise self.seen
        return self.seen() if callable(self.seen) else self.seen


@pytest.fixture
def judge(tmp_path: Path) -> Any:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    made = Looking(None, None, ledger, clock=lambda: 1_795_000_000.0)  # type: ignore[arg-type]
    made.seen = a_look()
    yield made
    ledger.close()


def call(judge: Judge, method: str, path: str, body: bytes | Any = b"", **query: str) -> tuple[int, str]:
    """Send one request to the application; the lifespan is not run."""
    sent: list[dict[str, Any]] = []
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": urlencode(query).encode(),
        "headers": [],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(service.application(judge)(scope, receive, send))
    return sent[0]["status"], b"".join(part.get("body", b"") for part in sent[1:]).decode()


def asked(**changes: Any) -> dict[str, Any]:
    return {
        "name": "churn",
        "namespace": "models",
        "phase": "Progressing",
        "metadata": {"policy": POLICY_TEXT},
        **changes,
    }


def value(answer: tuple[int, str]) -> float:
    assert answer[0] == 200, answer
    (sample,) = json.loads(answer[1])["data"]["result"]
    return float(sample["value"][1])


QUERY = f'{{"namespace":"models","model":"churn","policy":{POLICY_TEXT}}}'


def test_flagger_gets_its_number_in_prometheus_form(judge: Any) -> None:
    assert value(call(judge, "GET", "/api/v1/query", query="vector(1)")) == 1
    assert value(call(judge, "GET", "/api/v1/query", query=QUERY)) < 20
    assert value(call(judge, "POST", "/api/v1/query", urlencode({"query": QUERY}).encode())) < 20
    judge.seen = a_look(canary={"failed": 30})
    assert value(call(judge, "GET", "/api/v1/query", query=QUERY)) > 20
    assert 'slipway_judge_evidence{model="churn",namespace="models"}' in call(judge, "GET", "/metrics")[1]


def test_without_data_there_is_no_number_but_a_reason(judge: Any) -> None:
    judge.seen = a_look(counts=None, trouble="Prometheus http://p: cannot be reached")
    assert call(judge, "GET", "/api/v1/query", query=QUERY) == (
        503,
        "churn-v2: no data: Prometheus http://p: cannot be reached\n",
    )


def test_a_webhook_says_yes_or_no_with_one_line(judge: Any) -> None:
    assert call(judge, "POST", "/rollback", asked())[0] == 403
    assert call(judge, "POST", "/confirm-promotion", asked())[0] == 200
    judge.seen = a_look(min_requests=500)
    assert call(judge, "POST", "/confirm-traffic-increase", asked()) == (
        403,
        "churn-v2: held at 50%: asked 100 times there, 500 are needed\n",
    )


def test_a_decision_is_noted_once_however_often_it_is_asked_for(judge: Any) -> None:
    for requests in (100, 100, 120):
        judge.seen = a_look(canary={"requests": requests}, min_requests=500)
        call(judge, "POST", "/confirm-traffic-increase", asked())
    judge.seen = a_look(canary={"failed": 30})
    for _ in range(2):
        call(judge, "POST", "/rollback", asked())
    judge.seen = a_look(aborted="no")
    call(judge, "POST", "/rollback", asked())
    told = json.loads(call(judge, "GET", "/ledger", namespace="models", model="churn")[1])
    assert [entry["kind"] for entry in told] == ["held", "rolled-back", "aborted"]
    assert {(entry["weight"], entry["candidate"]) for entry in told} == {(50, "churn-v2")}


def test_a_candidate_that_was_allowed_to_all_users_is_known_after_flagger_has_promoted_it(judge: Any) -> None:
    for _ in range(2):
        assert call(judge, "POST", "/confirm-promotion", asked())[0] == 200
    (entry,) = judge.ledger.entries()
    assert (entry.kind, entry.candidate) == ("vetted", "churn-v2")
    assert judge._vetted(a_look(candidate=None, stable="churn-v2").run)
    assert not judge._vetted(a_look(candidate=None, stable="churn-v1").run)
    assert not judge._vetted(a_look(candidate=None, stable="churn-v2", started=1.0).run)


def test_a_cluster_that_is_away_is_a_no(judge: Any) -> None:
    from slipway.clients.kube import KubeError

    judge.seen = KubeError(0, "Unreachable", "cluster https://c cannot be reached (ConnectTimeout)")
    for question in ("rollback", "confirm-rollout", "confirm-traffic-increase", "confirm-promotion"):
        assert call(judge, "POST", f"/{question}", asked()) == (403, f"{judge.seen}\n")
    assert call(judge, "GET", "/api/v1/query", query=QUERY) == (503, f"{judge.seen}\n")
    assert call(judge, "GET", "/verdict", namespace="models", model="churn")[0] == 503


def test_an_answer_that_takes_too_long_is_a_no_in_time(judge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "DEADLINE", 0.05)
    judge.seen = lambda: time.sleep(0.3)
    status, line = call(judge, "POST", "/confirm-promotion", asked())
    assert (status, line) == (403, "churn: no answer of the cluster or of Prometheus within 0.05 s\n")
    assert call(judge, "GET", "/api/v1/query", query=QUERY)[0] == 503


def test_flaggers_events_are_noted_with_their_own_time(judge: Any) -> None:
    metadata = {"eventMessage": "Advance churn.models canary weight 25", "timestamp": "1794999990250"}
    for _ in range(2):
        assert call(judge, "POST", "/event", asked(metadata=metadata)) == (200, "noted\n")
    (entry,) = json.loads(call(judge, "GET", "/ledger")[1])
    assert (entry["at"], entry["kind"], entry["weight"]) == ("2026-11-18T11:06:30.250Z", "advanced", 25)
    assert json.loads(call(judge, "GET", "/ledger", since="2026-11-18T11:06:31Z")[1]) == []


def test_a_view_gets_all_there_is_to_see(judge: Any) -> None:
    judge.seen = a_look(canary={"failed": 1}, min_requests=500)
    status, body = call(judge, "GET", "/verdict", namespace="models", model="churn")
    found = json.loads(body)
    assert status == 200
    assert found["run"]["candidate"] == "churn-v2"
    assert found["counts"]["since_start"]["canary"]["failed"] == 3
    assert found["counts"]["at_weight"]["canary"]["requests"] == 100
    assert set(found["evidence"]["signals"]) == {"errors", "slow-p95"}
    assert found["waits_for"] == "churn-v2: held at 50%: asked 100 times there, 500 are needed"
    assert not found["condemned"]


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("POST", "/rollback", b"{", "body: expected a JSON object"),
        ("POST", "/rollback", b"[" * 100_000, "body: expected a JSON object"),
        ("POST", "/rollback", b"\xff", "body: expected a JSON object"),
        ("POST", "/rollback", asked(name=3), "name: missing"),
        ("POST", "/rollback", asked(name="churn/../fraud"), "name: expected lower-case letters"),
        ("POST", "/rollback", asked(namespace='a",b="'), "namespace: expected lower-case letters"),
        ("POST", "/rollback", asked(metadata=None), "metadata.policy: expected the policy"),
        ("POST", "/rollback", asked(metadata={"policy": "{}"}), "policy: success_rate_percent: Field required"),
        ("POST", "/rollback", b"x" * (2 << 20), "body: expected at most 1048576 bytes"),
        ("POST", "/event", asked(metadata={"timestamp": "soon"}), "metadata: expected eventMessage"),
        ("POST", "/event", asked(metadata="x"), "metadata: expected eventMessage"),
        ("GET", "/api/v1/query", b"", "query: expected a JSON object"),
        ("GET", "/verdict", b"", "namespace: missing"),
        ("GET", "/ledger?since=soon", b"", "since: expected a time as"),
    ],
)
def test_bad_input_is_told_in_one_line(judge: Any, method: str, path: str, body: Any, said: str) -> None:
    path, _, query = path.partition("?")
    status, line = call(judge, method, path, body, **dict([query.split("=")] if query else []))
    assert (status, line.count("\n")) == (400, 1)
    assert line.startswith(said)
