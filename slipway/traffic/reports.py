"""Reports of predictions and labels to observe."""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from slipway.clients.inference import infer_answer
from slipway.errors import SlipwayError
from slipway.traffic.requests import Request, Stream

#: Seconds between two reports.
REPORT_EVERY = 0.5


class Sink(Protocol):
    """Receiver of predictions and labels, as `slipway.observe.client.Client`."""

    def predicted(self, predictions: Sequence[Mapping[str, Any]]) -> None:
        """Report predictions (namespace, model, version, id, inputs, prediction)."""

    def labelled(self, labels: Sequence[Mapping[str, Any]]) -> None:
        """Report labels (id, label)."""


class Reports:
    """Background thread that reports to observe in batches; an unreachable observe neither delays nor ends traffic."""

    def __init__(self, sink: Sink, label_delay: float) -> None:
        self.sink, self.label_delay, self.lost = sink, label_delay, 0
        self._predictions: deque[dict[str, Any]] = deque()
        #: (due time on the monotonic clock, label).
        self._labels: deque[tuple[float, dict[str, Any]]] = deque()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic-reports", daemon=True)
        self._thread.start()

    def add(self, stream: Stream, request: Request, version: str, body: Mapping[str, Any]) -> None:
        """Queue one prediction, and its label if the request has one."""
        try:
            prediction = infer_answer(body)[0]
        except (SlipwayError, IndexError):
            return
        name = uuid.uuid4().hex
        self._predictions.append(
            {
                "namespace": stream.namespace,
                "model": stream.model,
                "version": version,
                "id": name,
                "inputs": dict(request.inputs),
                "prediction": prediction,
            }
        )
        if request.label is not None:
            self._labels.append((time.monotonic() + self.label_delay, {"id": name, "label": request.label}))

    def close(self) -> None:
        """Send all queued reports, labels that are not due yet included."""
        self._done.set()
        self._thread.join()
        self._send(float("inf"))

    def _run(self) -> None:
        while not self._done.wait(REPORT_EVERY):
            self._send(time.monotonic())

    def _send(self, now: float) -> None:
        predictions = [self._predictions.popleft() for _ in range(len(self._predictions))]
        labels = []
        while self._labels and self._labels[0][0] <= now:
            labels.append(self._labels.popleft()[1])
        for send, batch in ((self.sink.predicted, predictions), (self.sink.labelled, labels)):
            try:
                if batch:
                    send(batch)
            except SlipwayError:
                self.lost += len(batch)
