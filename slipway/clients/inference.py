"""The Open Inference Protocol (V2), as far as a client of a tabular model needs it.

MLServer's MLflow runtime takes one input per column of the model's signature and the content type `pd`; one tensor of
all columns, which plain scikit-learn servers take, is a server error there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.errors import SlipwayError

#: MLflow's column types as datatypes of the protocol.
DATATYPES: Mapping[str, str] = {
    "boolean": "BOOL",
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "string": "BYTES",
}
#: Two builds of the same arithmetic may differ in the last bits of a double, never in the first nine digits.
RELATIVE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Table:
    """Rows of a model's input: column names, their MLflow types, the values row by row."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def infer_request(table: Table) -> dict[str, Any]:
    """Write a table as the body of `POST /v2/models/<model>/infer`."""
    inputs = []
    for position, (name, kind) in enumerate(zip(table.names, table.types, strict=True)):
        if kind not in DATATYPES:
            known = ", ".join(DATATYPES)
            raise SlipwayError(f"input {name}: type {kind} has no datatype in the V2 protocol; expected one of {known}")
        column = [row[position] for row in table.rows]
        inputs.append({"name": name, "datatype": DATATYPES[kind], "shape": [len(column), 1], "data": column})
    return {"parameters": {"content_type": "pd"}, "inputs": inputs}


def infer_answer(body: Mapping[str, Any]) -> list[Any]:
    """Read the flat values out of a response.

    Raises:
        SlipwayError: The response holds no output, or more than one.
    """
    outputs = body.get("outputs")
    if not isinstance(outputs, list) or len(outputs) != 1:
        raise SlipwayError(f"response: expected one output, got {body.get('error') or body!r}")
    return _flat(outputs[0]["data"])


def same_answers(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Say whether two lists of predictions are equal; floats to nine digits."""
    return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(one, other, rel_tol=RELATIVE_TOLERANCE)
    return bool(one == other)


def _flat(values: Any) -> list[Any]:
    if isinstance(values, list):
        return [leaf for value in values for leaf in _flat(value)]
    return [values]
