"""Requests of a rehearsal: recorded, or generated from the model's input example."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slipway.clients.inference import DATATYPES, Table, infer_request
from slipway.documents import display
from slipway.errors import SlipwayError, at
from slipway.models.release import Column
from slipway.traffic.requests import Request

#: Number of generated requests: enough to show a difference between two versions.
GENERATED = 200
#: Any fixed number, so that two rehearsals send the same requests.
SEED = 7
#: MLflow's continuous column types.
_CONTINUOUS = frozenset({"float", "double"})
#: A value of each type for a model that was logged without an input example.
_ANY: Mapping[str, Any] = {"boolean": True, "integer": 1, "long": 1, "float": 0.5, "double": 0.5, "string": "a"}


def read_requests(path: Path) -> tuple[Request, ...]:
    """Read a file of JSON lines: V2 request bodies, those of one row with a `label` where the truth is known.

    Raises:
        SlipwayError: The file cannot be read, or a line is malformed.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SlipwayError(f"{at(display(path))}cannot be read ({reason})") from None
    found = tuple(_request(line, at(display(path), number)) for number, line in enumerate(lines, 1) if line.strip())
    if not found:
        raise SlipwayError(f'{at(display(path))}empty; expected one request a line, as {{"inputs": [...]}}')
    return found


def generate_requests(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> tuple[Request, ...]:
    """Generate requests of one row each: real numbers between those of two example rows, other values from one row.

    Without example rows, each request holds fixed values of the right types.

    Raises:
        SlipwayError: The model has no columns, or one of a type without a request format.
    """
    if not columns:
        raise SlipwayError("requests: the model's signature names no input columns; record requests and use --requests")
    for column in columns:
        if column.type not in DATATYPES:
            raise SlipwayError(
                f"requests: input {column.name}: no request can be made of type {column.type}; record requests and use"
                " --requests"
            )
    chance = random.Random(SEED)
    known = list(rows) or [{column.name: _ANY[column.type] for column in columns}]
    names, types = tuple(column.name for column in columns), tuple(column.type for column in columns)

    def one() -> Request:
        this, that, share = chance.choice(known), chance.choice(known), chance.random()
        row = tuple(
            this[name] + share * (that[name] - this[name]) if kind in _CONTINUOUS else this[name]
            for name, kind in zip(names, types, strict=True)
        )
        body = infer_request(Table(names, types, (row,)))
        return Request(json.dumps(body).encode(), dict(zip(names, row, strict=True)))

    return tuple(one() for _ in range(GENERATED))


def _request(line: str, where: str) -> Request:
    try:
        content = json.loads(line)
    except ValueError:
        raise SlipwayError(f'{where}malformed JSON; expected one request, as {{"inputs": [...]}}') from None
    inputs = content.get("inputs") if isinstance(content, dict) else None
    if not isinstance(inputs, list) or not inputs or not all(isinstance(each, dict) for each in inputs):
        raise SlipwayError(f"{where}inputs: missing or empty; expected a body of the V2 protocol, as sent to /infer")
    label, body = content.get("label"), {key: value for key, value in content.items() if key != "label"}
    row = {str(each.get("name")): _flat(each.get("data")) for each in inputs}
    rows = max(map(len, row.values()))
    if label is not None and rows != 1:
        raise SlipwayError(f"{where}label: expected a request of one row, got {rows}")
    if label is not None and not isinstance(label, int | float):
        raise SlipwayError(f"{where}label: expected a number, got {label!r}")
    known = {name: values[0] for name, values in row.items()} if rows == 1 else {}
    return Request(json.dumps(body).encode(), known, label if label is None else float(label))


def _flat(values: Any) -> list[Any]:
    return [leaf for each in values for leaf in _flat(each)] if isinstance(values, list) else [values]
