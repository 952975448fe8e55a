"""Steady stream of prediction requests, as from a model's users.

Open loop: a request leaves when it is due, whether or not earlier ones were answered, so a slow server gets as many
requests as a fast one, and waits show as latency. Labels follow their predictions after a delay.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from slipway.errors import SlipwayError
from slipway.traffic.reports import Reports, Sink
from slipway.traffic.requests import Request, Stream

if TYPE_CHECKING:
    import aiohttp

#: Seconds that a user waits for a response.
PATIENCE = 10.0
#: Requests of one model under way at most; a further one counts as not answered, which bounds the memory.
IN_FLIGHT = 200
#: Answers that are kept singly; totals count all.
REMEMBERED = 100_000
#: Status of a request without a response: the connection failed or timed out.
NO_ANSWER = 0
#: Version of a response that names none.
UNKNOWN = "unknown"
#: Seed of the draw of requests: every run sends the same rows in the same order.
SEED = 7


@dataclass(frozen=True)
class Answer:
    """Result of one request.

    Args:
        at: Time when it was due, seconds since the epoch.
        version: Registry version that answered, as text; UNKNOWN if the response names none.
        status: HTTP status; NO_ANSWER without one.
        seconds: Seconds from its due time to its response.
    """

    at: float
    model: str
    version: str
    status: int
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether the user got no prediction."""
        return not 200 <= self.status < 300


class Traffic:
    """Traffic to a gateway, sent by a background thread until it is stopped.

    Used as a context manager; leaving it waits for outstanding responses.

    Args:
        gateway: Its address, as `http://127.0.0.1:8000`.
        label_delay: Seconds from a prediction to its label.
    """

    def __init__(
        self,
        gateway: str,
        streams: Sequence[Stream],
        *,
        sink: Sink | None = None,
        label_delay: float = 1.5,
    ) -> None:
        self.gateway, self.streams = gateway.rstrip("/"), tuple(streams)
        #: The newest answers, oldest first.
        self.answers: deque[Answer] = deque(maxlen=REMEMBERED)
        #: By model, then by whether the user got no prediction.
        self._totals: Counter[tuple[str, bool]] = Counter()
        self._reports = Reports(sink, label_delay) if sink else None
        self._stop, self._loop = asyncio.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self._error: BaseException | None = None

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def unreported(self) -> int:
        """Number of predictions and labels that observe did not accept."""
        return self._reports.lost if self._reports else 0

    def stop(self) -> None:
        """Stop the traffic; a second call does nothing.

        Raises:
            SlipwayError: The traffic ended by an error.
        """
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._error:
            error, self._error = self._error, None
            raise SlipwayError(f"traffic: ended by an error: {type(error).__name__}: {error}") from error

    def requests(self, model: str) -> int:
        """Return the number of a model's requests so far."""
        return self._totals[model, True] + self._totals[model, False]

    def failed(self, model: str) -> int:
        """Return the number of a model's failed requests so far; `slipway.traffic.shares` has them by share."""
        return self._totals[model, True]

    def _run(self) -> None:
        try:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(self._flow_all())
        except BaseException as error:
            self._error = error
        finally:
            self._loop.close()
            if self._reports:
                self._reports.close()

    async def _flow_all(self) -> None:
        import aiohttp

        # Connections are kept, so the pool grows to the requests under way. Proxies of the user's shell are ignored.
        connector = aiohttp.TCPConnector(limit=0)
        patience = aiohttp.ClientTimeout(total=PATIENCE)
        async with aiohttp.ClientSession(connector=connector, timeout=patience, trust_env=False) as session:
            flows = [
                self._flow(session, stream, number / len(self.streams)) for number, stream in enumerate(self.streams)
            ]
            await asyncio.gather(*flows)

    async def _flow(self, session: aiohttp.ClientSession, stream: Stream, phase: float) -> None:
        """Send one model's requests when they are due; `phase` (0 to 1) offsets the models' requests."""
        draw = random.Random(SEED)
        under_way = set[asyncio.Task[None]]()
        due = self._loop.time() + phase / stream.per_second
        while not await self._stopped_before(due):
            request = draw.choice(stream.requests)
            if len(under_way) < IN_FLIGHT:
                task = self._loop.create_task(self._ask(session, stream, request, due))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            else:
                self._count(Answer(time.time(), stream.model, UNKNOWN, NO_ANSWER, 0.0))
            due += 1 / stream.per_second
        if under_way:
            await asyncio.gather(*under_way)

    async def _stopped_before(self, due: float) -> bool:
        """Sleep until a time of the loop's clock; return True if stopped before."""
        wait = due - self._loop.time()
        if wait <= 0:
            return self._stop.is_set()
        try:
            await asyncio.wait_for(self._stop.wait(), wait)
        except TimeoutError:
            return False
        return True

    async def _ask(self, session: aiohttp.ClientSession, stream: Stream, request: Request, due: float) -> None:
        import aiohttp

        at = time.time() - (self._loop.time() - due)
        address = urlsplit(stream.url)
        headers = {"Host": address.netloc, "Content-Type": "application/json"}
        status, content = NO_ANSWER, b""
        try:
            async with session.post(self.gateway + address.path, data=request.body, headers=headers) as answer:
                content = await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            status = NO_ANSWER
        taken = self._loop.time() - due
        body = _parsed(content) if status == 200 else {}
        version = str(body.get("model_version") or UNKNOWN)
        self._count(Answer(at, stream.model, version, status, taken))
        # Observe counts by version: it would refuse a whole batch for a prediction without one.
        if self._reports and body and version != UNKNOWN:
            self._reports.add(stream, request, version, body)

    def _count(self, answer: Answer) -> None:
        self.answers.append(answer)
        self._totals[answer.model, answer.failed] += 1


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
