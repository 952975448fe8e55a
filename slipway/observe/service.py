"""HTTP service observe.

One event loop owns the state, so no lock is needed; only the numerics of drift run in a thread, on immutable rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import uvicorn
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from slipway.errors import ExitCode, SlipwayError
from slipway.observe import drift, messages, metrics, payloads
from slipway.observe.observer import Observer, Receipt
from slipway.observe.specs import read_specs

log = logging.getLogger(__name__)

#: Seconds between two measurements of drift and two readings of the model specs, at least; and the minimal ratio of the
#: pause to the last measurement's time, which keeps drift below 5 % of one core whatever the number of columns.
PAUSE_SECONDS = 5.0
PAUSE_FACTOR = 20
#: Connections at once; more get a 503. A client needs one.
MAX_CONNECTIONS = 100
#: Seconds for running requests after SIGTERM or SIGINT.
GRACE_SECONDS = 2


def application(observer: Observer, clock: Callable[[], float] = time.monotonic) -> Starlette:
    """Return the ASGI application of a state."""
    registry = metrics.registry(observer, clock)
    watch: asyncio.Task[None] | None = None
    pairs = payloads.Pairs()

    async def predictions(request: Request) -> Response:
        return await _take(request, lambda body: observer.predicted(messages.parse_predictions(body), clock()))

    async def labels(request: Request) -> Response:
        return await _take(request, lambda body: observer.labelled(messages.parse_labels(body), clock()))

    async def payload(request: Request) -> Response:
        def take(body: bytes) -> Receipt:
            found = pairs.take(payloads.read(request.headers, body))
            return observer.predicted(found, clock()) if found else Receipt(0, 0)

        return await _take(request, take)

    async def samples(request: Request) -> Response:
        found = [each for each in observer.comparisons(clock()) if drift.enough(each)]
        return JSONResponse(
            [
                {**each.stream._asdict(), "against": each.against, "rows": each.rows, "others": each.others}
                for each in found
            ]
        )

    async def exposed(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=content_type)

    async def healthz(request: Request) -> Response:
        alive = watch is not None and not watch.done()
        facts = {"models": sorted(observer.specs.known), "unreadable": dict(observer.specs.unreadable)}
        return JSONResponse(facts, 200 if alive else 503)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        nonlocal watch
        watch = asyncio.create_task(_watch(observer, clock))
        yield
        watch.cancel()

    return Starlette(
        routes=[
            Route("/v1/predictions", predictions, methods=["POST"]),
            Route("/v1/labels", labels, methods=["POST"]),
            Route("/v1/payloads", payload, methods=["POST"]),
            Route("/v1/samples", samples),
            Route("/metrics", exposed),
            Route("/healthz", healthz),
        ],
        lifespan=lifespan,
    )


def serve(host: str, port: int, directory: Path) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        port: Its port; 0 for any free one, named in the first line on stderr.

    Raises:
        SlipwayError: The address is not available.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    specs = read_specs(directory)
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise SlipwayError(
            f"observe: cannot listen at {host}:{port} ({error.strerror or error}); give another --listen",
            ExitCode.MACHINE,
        ) from None
    log.info(
        "observe: listening at %s:%d, models %s", host, listener.getsockname()[1], ", ".join(specs.known) or "none"
    )
    for problem in specs.unreadable.values():
        log.warning("observe: %s", problem)
    config = uvicorn.Config(
        application(Observer(specs)),
        log_level="warning",
        access_log=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])


async def _take(request: Request, take: Callable[[bytes], Receipt]) -> Response:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > messages.MAX_BYTES:
            line = f"body: expected at most {messages.MAX_BYTES} bytes; send fewer items in one request"
            return PlainTextResponse(line + "\n", 413)
    try:
        return JSONResponse(asdict(take(bytes(body))))
    except SlipwayError as error:
        return PlainTextResponse(f"{error}\n", 400)


async def _watch(observer: Observer, clock: Callable[[], float]) -> None:
    """Measure drift and read changed specs until cancelled."""
    # The import blocks the loop for about a second: better now than in a rollout, where a scrape would fail.
    await asyncio.to_thread(import_module, "scipy.stats")
    while True:
        started = time.perf_counter()
        try:
            observer.specs = await asyncio.to_thread(read_specs, observer.specs.directory, observer.specs)
            comparisons = observer.comparisons(clock())
            found = [await asyncio.to_thread(drift.measure, comparison) for comparison in comparisons]
            observer.drifts = [one for one in found if one]
        except Exception:
            # The earlier measurements are outdated.
            observer.drifts = ()
            log.exception("observe: drift could not be measured")
        await asyncio.sleep(max(PAUSE_SECONDS, PAUSE_FACTOR * (time.perf_counter() - started)))
