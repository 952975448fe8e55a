"""A steady stream of prediction requests, as a model's users send it.

Open loop: a request leaves when it is due, whether or not the ones before it were answered, so that a slow server is
asked as often as a fast one, and waits show as latency. Labels follow their predictions after a delay, as they do in
life.
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

#: Seconds that a user waits for an answer.
PATIENCE = 10.0
#: Requests of one model under way at most; a further one counts as not answered, instead of taking memory for ever.
IN_FLIGHT = 200
#: Answers that are remembered one by one; totals count all.
REMEMBERED = 100_000
#: Status of a request that got no answer: the connection failed, or patience ended.
NO_ANSWER = 0
#: Version of an answer that does not say which one gave it.
UNKNOWN = "unknown"
#: Draws the same rows in the same order every time.
SEED = 7


@dataclass(frozen=True)
class Answer:
    """What became of one request.

    Args:
        at: When it was due, seconds since the epoch.
        model: The model.
        version: Registry version that answered, as text; UNKNOWN where the answer does not say.
        status: HTTP status; NO_ANSWER without one.
        seconds: From when it was due until its answer was there.
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
    """Requests to a gateway, from a thread of its own, until it is stopped.

    Used as a context manager; leaving it waits for the answers that are still on their way.

    Args:
        gateway: Its address, as `http://127.0.0.1:8000`.
        streams: One for each model.
        sink: Where predictions and labels go.
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
        """How many predictions or labels observe did not take."""
        return self._reports.lost if self._reports else 0

    def stop(self) -> None:
        """End it; a second call does nothing.

        Raises:
            SlipwayError: It broke off by itself.
        """
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._error:
            error, self._error = self._error, None
            raise SlipwayError(f"traffic: broke off: {type(error).__name__}: {error}") from error

    def requests(self, model: str) -> int:
        """Count a model's requests so far."""
        return self._totals[model, True] + self._totals[model, False]

    def failed(self, model: str) -> int:
        """Count a model's requests that got no prediction; whose share they were of, `slipway.traffic.shares` knows."""
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

        # Connections are kept, so the pool grows to what is under way at once. No proxy of the user's shell is asked.
        connector = aiohttp.TCPConnector(limit=0)
        patience = aiohttp.ClientTimeout(total=PATIENCE)
        async with aiohttp.ClientSession(connector=connector, timeout=patience, trust_env=False) as session:
            flows = [
                self._flow(session, stream, number / len(self.streams)) for number, stream in enumerate(self.streams)
            ]
            await asyncio.gather(*flows)

    async def _flow(self, session: aiohttp.ClientSession, stream: Stream, phase: float) -> None:
        """Send one model's requests when they are due; `phase` (0 to 1) keeps models from being asked in step."""
        draw, under_way = random.Random(SEED), set[asyncio.Task[None]]()
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
        """Sleep until a moment of the loop's clock, or until the end."""
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

        at, address = time.time() - (self._loop.time() - due), urlsplit(stream.url)
        headers = {"Host": address.netloc, "Content-Type": "application/json"}
        status, said = NO_ANSWER, b""
        try:
            async with session.post(self.gateway + address.path, data=request.body, headers=headers) as answer:
                said = await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            status = NO_ANSWER
        taken = self._loop.time() - due
        body = _parsed(said) if status == 200 else {}
        version = str(body.get("model_version") or UNKNOWN)
        self._count(Answer(at, stream.model, version, status, taken))
        # Observe counts by version: of an answer without one it could say nothing, and would refuse its whole batch.
        if self._reports and body and version != UNKNOWN:
            self._reports.add(stream, request, version, body)

    def _count(self, answer: Answer) -> None:
        self.answers.append(answer)
        self._totals[answer.model, answer.failed] += 1


def _parsed(said: bytes) -> dict[str, Any]:
    try:
        body = json.loads(said)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
