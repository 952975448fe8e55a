"""Sends what was served to the observing service, out of the way of the traffic that it is about."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic

import requests

from slipway.observe.messages import MAX_ITEMS, Label, Message, Prediction, body

#: Items of each kind that wait at most; then the oldest are dropped. At 100 a second, an outage of 100 s.
QUEUE = 10_000
#: Seconds between two rounds of sending; of one request at most; that `close` waits for what is still queued.
ROUND_SECONDS = 0.2
TIMEOUT_SECONDS = 3.0
CLOSE_SECONDS = 5.0


@dataclass
class _Queue(Generic[Message]):
    path: str
    items: deque[Message] = field(default_factory=lambda: deque(maxlen=QUEUE))
    #: What was taken out of `items` to be sent, until the service has answered.
    batch: list[Message] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.items) + len(self.batch)


class ObserveClient:
    """A sender with a thread of its own: nothing here waits for the service, and nothing here raises when it is away.

    What cannot be sent yet is sent later: the service counts each id once, so sending twice does no harm.

    Args:
        url: The service's base, as `http://observe.monitoring:9092`.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._predictions = _Queue[Prediction]("/v1/predictions")
        self._labels = _Queue[Label]("/v1/labels")
        #: Items that found a full queue, or were refused.
        self.dropped = 0
        #: What the service said last about a batch that it refused; None while it took all.
        self.refusal: str | None = None
        self._session = requests.Session()
        # A proxy of the user's shell knows nothing of a server on loopback.
        self._session.trust_env = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observe-client", daemon=True)
        self._thread.start()

    def predicted(self, prediction: Prediction) -> None:
        """Queue one prediction."""
        self._put(self._predictions, prediction)

    def labelled(self, label: Label) -> None:
        """Queue one label."""
        self._put(self._labels, label)

    def close(self) -> None:
        """Send what is queued, for some seconds at most, then end; what is left after that counts as dropped."""
        self._closing.set()
        self._thread.join(CLOSE_SECONDS + 2 * TIMEOUT_SECONDS)

    def __enter__(self) -> ObserveClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _put(self, queue: _Queue[Message], item: Message) -> None:
        self.dropped += len(queue.items) == QUEUE
        queue.items.append(item)

    def _run(self) -> None:
        while not self._closing.wait(ROUND_SECONDS):
            self._send_all(self._predictions)
            self._send_all(self._labels)
        until = time.monotonic() + CLOSE_SECONDS
        while (self._predictions or self._labels) and time.monotonic() < until:
            if not (self._send_all(self._predictions) and self._send_all(self._labels)):
                time.sleep(ROUND_SECONDS)
        self.dropped += len(self._predictions) + len(self._labels)
        self._session.close()

    def _send_all(self, queue: _Queue[Message]) -> bool:
        """Send batch after batch; False where the service did not answer, and the rest has to wait."""
        while queue.batch or queue.items:
            if not queue.batch:
                queue.batch = [queue.items.popleft() for _ in range(min(MAX_ITEMS, len(queue.items)))]
            try:
                answer = self._session.post(self._url + queue.path, data=body(queue.batch), timeout=TIMEOUT_SECONDS)
            except requests.RequestException:
                return False
            # 5xx is the service's trouble of now; 4xx is the batch's own, which would be refused for ever.
            if answer.status_code >= 500:
                return False
            if answer.status_code >= 400:
                self.dropped += len(queue.batch)
                self.refusal = answer.text.strip()
            queue.batch = []
        return True
