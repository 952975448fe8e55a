"""Client of the Open Inference Protocol (V2), for tabular models.

MLServer's MLflow runtime takes one input per column of the model's signature and the content type `pd`; one tensor of
all columns, as for plain scikit-learn servers, is a server error there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from slipway.errors import ExitCode, SlipwayError

#: Datatypes of the protocol by MLflow's column type.
DATATYPES: Mapping[str, str] = {
    "boolean": "BOOL",
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "string": "BYTES",
}
#: Builds of the same arithmetic may differ in the last bits of a double, but not in the first nine digits.
RELATIVE_TOLERANCE = 1e-9
#: Seconds for a gateway to take over a new route, Flagger's first check before it included.
ROUTE_LIMIT = 90.0
#: Seconds between two tries: no event says that a gateway has taken over a route.
RETRY = 0.5
#: Statuses of a gateway for a route that it does not have, or whose servers it does not know yet.
NOT_YET = frozenset({404, 502, 503})


@dataclass(frozen=True)
class Table:
    """Rows of a model's input: column names, their MLflow types, and the values row by row."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def infer_request(table: Table) -> dict[str, Any]:
    """Return a table as the body of `POST /v2/models/<model>/infer`."""
    inputs = []
    for position, (name, kind) in enumerate(zip(table.names, table.types, strict=True)):
        if kind not in DATATYPES:
            known = ", ".join(DATATYPES)
            raise SlipwayError(f"input {name}: type {kind} has no datatype in the V2 protocol; expected one of {known}")
        column = [row[position] for row in table.rows]
        inputs.append({"name": name, "datatype": DATATYPES[kind], "shape": [len(column), 1], "data": column})
    return {"parameters": {"content_type": "pd"}, "inputs": inputs}


def infer_answer(body: Mapping[str, Any]) -> list[Any]:
    """Return the flat values of a response.

    Raises:
        SlipwayError: The response has no output, or more than one.
    """
    outputs = body.get("outputs")
    if not isinstance(outputs, list) or len(outputs) != 1:
        raise SlipwayError(f"response: expected one output, got {body.get('error') or body!r}")
    return _flat(outputs[0]["data"])


def ask(
    session: requests.Session, gateway: str, url: str, body: Mapping[str, Any], passing: frozenset[int] = NOT_YET
) -> dict[str, Any]:
    """Send a request through the gateway, with retries for a new route.

    Args:
        gateway: Its address, as `http://127.0.0.1:8000`.
        url: The model's, as its users know it.
        passing: Statuses to retry, which may pass.

    Raises:
        SlipwayError: The gateway cannot be reached, or answers with an error.
    """
    address = urlsplit(url)
    deadline = time.monotonic() + ROUTE_LIMIT
    while True:
        try:
            answer = session.post(gateway + address.path, json=body, headers={"Host": address.netloc}, timeout=30)
        except requests.RequestException as error:
            reason = type(error).__name__
            raise SlipwayError(
                f"{url} at {gateway}: no answer ({reason}); check `slipway lab status`", ExitCode.UNREACHABLE
            ) from None
        if answer.status_code == 200:
            return dict(answer.json())
        if answer.status_code not in passing or time.monotonic() > deadline:
            reason = " ".join(answer.text.split())[:200] or answer.reason
            raise SlipwayError(f"{url} at {gateway}: HTTP {answer.status_code}: {reason}", ExitCode.UNREACHABLE)
        time.sleep(RETRY)


def same_answers(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Return whether two lists of predictions are equal, floats to nine digits."""
    return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(one, other, rel_tol=RELATIVE_TOLERANCE)
    return bool(one == other)


def _flat(values: Any) -> list[Any]:
    if isinstance(values, list):
        return [leaf for value in values for leaf in _flat(value)]
    return [values]
