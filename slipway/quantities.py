"""Kubernetes quantities.

Only canonical ones (apimachinery pkg/api/resource, Quantity.CanonicalizeBytes) are accepted: the API server and
KServe's webhook rewrite any other, which every preview would show as a difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
#: Unit to (number of units in the next larger one, that unit).
_LARGER = {"m": (1000, ""), **{unit: (1024, larger) for unit, larger in pairwise(_BINARY)}}


def _canonical(units: str, expected: str) -> Callable[[str], str]:
    """Return a validator of quantities whose unit matches the pattern `units`; messages say what was `expected`."""

    def validate(value: str) -> str:
        match = re.fullmatch(rf"([1-9][0-9]*)({units})", value)
        if not match:
            raise ValueError(f"expected {expected}, got {value!r}")
        number, unit = int(match[1]), match[2]
        while unit in _LARGER and number % _LARGER[unit][0] == 0:
            number, unit = number // _LARGER[unit][0], _LARGER[unit][1]
        if (canonical := f"{number}{unit}") != value:
            raise ValueError(f"expected the canonical form {canonical!r}, got {value!r}")
        return value

    return validate


_BYTES = "|".join(_BINARY)
Cpu = Annotated[str, AfterValidator(_canonical("m?", "cores as '2' or thousandths as '1500m'"))]
Memory = Annotated[str, AfterValidator(_canonical(_BYTES, "a whole number with Ki, Mi, Gi or Ti, as '512Mi'"))]
#: Cores, bytes or pieces.
Quantity = Annotated[str, AfterValidator(_canonical(f"m?|{_BYTES}", "a quantity, as '1500m', '2' or '512Mi'"))]
Percent = Annotated[int, Field(ge=1, le=100)]


def cores(quantity: str) -> float:
    """Return a number of cores: '1500m' is 1.5."""
    return int(quantity[:-1]) / 1000 if quantity.endswith("m") else int(quantity)


def size(quantity: str) -> int:
    """Return a number of bytes: '1Gi' is 1073741824."""
    return int(quantity[:-2]) * _BINARY[quantity[-2:]]
