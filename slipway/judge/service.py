"""The judge's HTTP service: webhooks of Flagger, its metric query in Prometheus' form, and our own views.

Each answer comes within DEADLINE: Flagger waits five seconds, and takes a late answer for a no without a reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import anyio
from anyio import to_thread
from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from slipway.clients.kube import Kube, KubeError
from slipway.clients.prometheus import Prometheus
from slipway.errors import SlipwayError
from slipway.judge.answers import QUESTIONS, Asked, Judge
from slipway.judge.ledger import Ledger, as_json
from slipway.judge.recover import recover
from slipway.judge.shadows import end_copies
from slipway.rollout.policy import Policy
from slipway.times import epoch

log = logging.getLogger("slipway.judge")

#: Seconds within which each request is answered.
DEADLINE = 4.5
#: Seconds for connecting to the API server or Prometheus, and for each read.
TIMEOUT = 3.0
#: Seconds between two comparisons of the ledger with the cluster.
COMPARE = 15.0
#: Query with which Flagger checks a metric provider (pkg/metrics/providers/prometheus.go).
_ONLINE = "vector(1)"
#: Bytes of a request body at most; a policy has a few hundred.
_MAX_BODY = 1 << 20

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]


class BadRequest(Exception):
    """A malformed request; the message is the answer."""


def application(judge: Judge, compare: bool = True) -> Starlette:
    """Return the application; `compare` says whether to compare the ledger with the cluster repeatedly."""

    async def query(request: Request) -> Response:
        form = dict(parse_qsl((await _body(request)).decode(errors="replace")))
        text = request.query_params.get("query") or form.get("query", "")
        if text.strip() == _ONLINE:
            return _vector(judge.clock(), 1.0)
        asked = _asked_in_query(text)
        found = await _within(lambda: judge.evidence(asked))
        if found is None or found.verdict is None:
            return _line(503, found.reason if found else _late(asked))
        return _vector(judge.clock(), found.verdict.e_value)

    def webhook(question: str) -> Handler:
        async def answer(request: Request) -> Response:
            asked = _asked(_json(await _body(request)))
            given = await _within(lambda: judge.answer(question, asked))
            # Not 5xx: Flagger's client would retry, then drop the reason.
            return _line(200 if given and given.yes else 403, given.reason if given else _late(asked))

        return answer

    async def event(request: Request) -> Response:
        body = _json(await _body(request))
        namespace, model, metadata = _text(body, "namespace"), _text(body, "name"), body.get("metadata") or {}
        try:
            await to_thread.run_sync(lambda: judge.event(namespace, model, str(body.get("phase", "")), metadata))
        except (ValueError, AttributeError):
            raise BadRequest("metadata: expected eventMessage with a timestamp in milliseconds") from None
        return _line(200, "noted")

    async def ledger(request: Request) -> Response:
        wanted = request.query_params
        try:
            since = epoch(wanted.get("since")) or 0.0
        except ValueError:
            raise BadRequest(f"since: expected a time as 2026-11-21T16:30:05Z, got {wanted['since']!r}") from None
        found = judge.ledger.entries(wanted.get("namespace"), wanted.get("model"), since)
        return JSONResponse([as_json(entry) for entry in found])

    async def verdict(request: Request) -> Response:
        wanted = dict(request.query_params)
        namespace, model = _text(wanted, "namespace"), _text(wanted, "model")
        found = await _within(lambda: judge.verdict(namespace, model))
        return _line(503, f"{model}: no answer within {DEADLINE:g} s") if found is None else JSONResponse(found)

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(generate_latest(judge.metrics))

    async def healthz(request: Request) -> Response:
        return _line(200, "ok")

    @contextlib.asynccontextmanager
    async def comparing(app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(_compare(judge)) if compare else None
        yield
        if task:
            task.cancel()

    return Starlette(
        routes=[
            Route("/api/v1/query", query, methods=["GET", "POST"]),
            *(Route(f"/{question}", webhook(question), methods=["POST"]) for question in QUESTIONS),
            Route("/event", event, methods=["POST"]),
            Route("/ledger", ledger),
            Route("/verdict", verdict),
            Route("/metrics", metrics),
            Route("/healthz", healthz),
        ],
        exception_handlers={BadRequest: _refused, SlipwayError: _troubled, Exception: _failed},
        lifespan=comparing,
    )


def serve(kubeconfig: Path, context: str | None, prometheus_url: str, host: str, port: int, ledger_file: Path) -> None:
    """Serve until a signal. Raises SlipwayError where the kubeconfig or the ledger cannot be used."""
    # Only the running service needs it.
    import uvicorn

    try:
        ledger = Ledger(ledger_file)
    except OSError as error:
        raise SlipwayError(f"{ledger_file}: {error.strerror}; name a file that can be written") from None
    kube = Kube.from_kubeconfig(kubeconfig, context, TIMEOUT)
    judge = Judge(kube, Prometheus(prometheus_url, TIMEOUT), ledger)
    uvicorn.run(application(judge), host=host, port=port, access_log=False, log_level="warning")


async def _compare(judge: Judge) -> None:
    """Compare the ledger and the copies of requests with the cluster until cancelled.

    The ledger is compared back to the last comparison that succeeded.
    """
    known, trouble = 0.0, ""
    while True:
        now = judge.clock()
        try:
            added = await to_thread.run_sync(
                recover, judge.kube, judge.reader.prometheus, judge.ledger, now, known, abandon_on_cancel=True
            )
            known, trouble = now, ""
            if added:
                log.warning("ledger: %d entries were missing, added", added)
        except (SlipwayError, OSError) as error:
            # Log each failure once.
            if str(error) != trouble:
                log.warning("ledger: not compared with the cluster: %s", error)
            trouble = str(error)
        # This does not need Prometheus, so a failure above does not prevent it.
        with contextlib.suppress(SlipwayError, OSError):
            if ended := await to_thread.run_sync(end_copies, judge.kube, abandon_on_cancel=True):
                log.warning("shadows: %d failed, their copies of requests have ended", ended)
        await asyncio.sleep(COMPARE)


async def _within(work: Callable[[], T]) -> T | None:
    """Do blocking work; None after DEADLINE. The timeouts of the work end it later."""
    with anyio.move_on_after(DEADLINE):
        return await to_thread.run_sync(work, abandon_on_cancel=True)
    return None


def _asked_in_query(text: str) -> Asked:
    body = _json(text.encode(), "query")
    policy = body.get("policy")
    if not isinstance(policy, dict):
        raise BadRequest("query: policy: expected the policy that `pulumi up` writes into the Canary")
    return Asked(_text(body, "namespace"), _text(body, "model"), Policy.parse(json.dumps(policy)))


def _asked(body: dict[str, Any]) -> Asked:
    metadata = body.get("metadata")
    policy = metadata.get("policy") if isinstance(metadata, dict) else None
    if not isinstance(policy, str):
        raise BadRequest("metadata.policy: expected the policy that `pulumi up` writes into the Canary")
    return Asked(_text(body, "namespace"), _text(body, "name"), Policy.parse(policy), str(body.get("phase", "")))


async def _body(request: Request) -> bytes:
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > _MAX_BODY:
            raise BadRequest(f"body: expected at most {_MAX_BODY} bytes")
    return content


def _json(content: bytes, what: str = "body") -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadRequest(f"{what}: expected a JSON object")
    return found


def _text(body: dict[str, Any], name: str) -> str:
    """Read a Kubernetes name, which becomes part of URLs and queries."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{name}: missing")
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", value):
        raise BadRequest(f"{name}: expected lower-case letters, digits, hyphens, got {value[:80]!r}")
    return value


def _vector(at: float, value: float) -> Response:
    result = [{"metric": {}, "value": [round(at, 3), repr(value)]}]
    return JSONResponse({"status": "success", "data": {"resultType": "vector", "result": result}})


def _late(asked: Asked) -> str:
    return f"{asked.model}: no answer of the cluster or of Prometheus within {DEADLINE:g} s"


def _line(status: int, text: str) -> Response:
    return PlainTextResponse(" ".join(text.split()) + "\n", status)


async def _refused(request: Request, error: Exception) -> Response:
    return _line(400, str(error))


async def _troubled(request: Request, error: Exception) -> Response:
    """Answer a known failure: an impossible question or an unreachable cluster."""
    status = error.status if isinstance(error, KubeError) else 400
    return _line(status if status == 404 else 503 if status in (0, 500) else 400, str(error))


async def _failed(request: Request, error: Exception) -> Response:
    log.error("%s: %s", request.url.path, type(error).__name__, exc_info=error)
    return _line(500, f"judge: internal error ({type(error).__name__}); its log says more")
