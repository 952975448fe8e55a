"""Payloads of KServe's agents: a request and its response, as separate events.

An event's body is the plain request or response of the Open Inference Protocol (V2); headers name the model (kserve
pkg/logger/worker.go).
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from slipway.clients.inference import infer_answer
from slipway.errors import SlipwayError
from slipway.observe.messages import MAX_ITEMS, MAX_TEXT, Prediction

#: Kinds of events by CloudEvents type.
_KINDS: Mapping[str, Literal["request", "response"]] = {
    "org.kubeflow.serving.inference.request": "request",
    "org.kubeflow.serving.inference.response": "response",
}
#: Unpaired events at most; the agent sends both within milliseconds, for failed requests only the first.
MAX_WAITING = 1_000

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Half:
    """Event of a request or a response."""

    kind: Literal["request", "response"]
    id: str
    namespace: str
    body: Body


def read(headers: Mapping[str, str], content: bytes) -> Half:
    """Read an event.

    Raises:
        SlipwayError: It is not from KServe's logger, or its body is no object.
    """
    kind = _KINDS.get(headers.get("ce-type", ""))
    identifier, namespace = headers.get("ce-id", ""), headers.get("ce-namespace", "")
    if kind is None or not identifier or not namespace:
        raise SlipwayError("payload: expected an event of KServe's logger, with ce-type, ce-id, ce-namespace")
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise SlipwayError("payload: expected JSON of the Open Inference Protocol; binary tensors are not supported")
    return Half(kind, identifier, namespace, body)


class Pairs:
    """Buffer of unpaired events, bounded by dropping the oldest."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[str, str], Half] = OrderedDict()

    def take(self, half: Half) -> list[Prediction]:
        """Add one event; return the predictions once both are there.

        Raises:
            SlipwayError: As `predictions`.
        """
        key = (half.namespace, half.id)
        other = self._waiting.pop(key, None)
        if other is None or other.kind == half.kind:
            self._waiting[key] = half
            while len(self._waiting) > MAX_WAITING:
                self._waiting.popitem(last=False)
            return []
        asked, answered = (other, half) if half.kind == "response" else (half, other)
        return predictions(half.namespace, half.id, asked.body, answered.body)


def predictions(namespace: str, event: str, asked: Body, answered: Body) -> list[Prediction]:
    """Return the predictions of a response, row by row.

    The id for a label is the response's `id`, which is the client's own where it gave one; for several rows `<id>/0`,
    `<id>/1` and so on.

    Args:
        event: The event's id, used where the response has none.

    Raises:
        SlipwayError: The response does not have one value for each row, or a field is invalid.
    """
    answers = infer_answer(answered)
    rows = (answered["outputs"][0].get("shape") or [len(answers)])[0]
    if len(answers) != rows:
        raise SlipwayError(f"payload: outputs[0].data: expected one value for each of {rows} rows, got {len(answers)}")
    if rows > MAX_ITEMS:
        raise SlipwayError(f"payload: expected at most {MAX_ITEMS} rows, got {rows}; send them in parts")
    columns = dict(_columns(asked, rows))
    name = str(answered.get("id") or event)
    try:
        return [
            Prediction(
                namespace=namespace,
                model=str(answered.get("model_name", "")),
                version=str(answered.get("model_version", "")),
                id=name if rows == 1 else f"{name}/{row}",
                inputs={column: values[row] for column, values in columns.items()},
                prediction=answer,
            )
            for row, answer in enumerate(answers)
        ]
    except ValueError as error:
        raise SlipwayError(f"payload: {' '.join(str(error).split())[:300]}") from None


def _columns(asked: Body, rows: int) -> Iterator[tuple[str, list[Any]]]:
    """Yield the inputs with one scalar for each row, without images and long texts."""
    for tensor in asked.get("inputs") or ():
        values = tensor.get("data") if isinstance(tensor, Mapping) else None
        if isinstance(values, list) and len(values) == rows and all(map(_is_value, values)):
            yield str(tensor.get("name", "")), values


def _is_value(value: Any) -> bool:
    return value is None or isinstance(value, int | float) or (isinstance(value, str) and len(value) <= MAX_TEXT)
