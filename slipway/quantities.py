"""Amounts as Kubernetes writes them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def _canonical_cpu(value: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]*m?", value):
        raise ValueError(f"expected cores as '2' or thousandths as '1500m', got {value!r}")
    if value.endswith("000m"):
        raise ValueError(f"expected the canonical form {value[:-4]!r}, got {value!r}")
    return value


def _canonical_memory(value: str) -> str:
    match = re.fullmatch(r"([1-9][0-9]*)(Ki|Mi|Gi|Ti|Pi|Ei)", value)
    if not match:
        raise ValueError(f"expected a whole number with Ki, Mi, Gi or Ti, as '512Mi', got {value!r}")
    number, unit = int(match[1]), _BINARY.index(match[2])
    while number % 1024 == 0 and unit < len(_BINARY) - 1:
        number, unit = number // 1024, unit + 1
    canonical = f"{number}{_BINARY[unit]}"
    if canonical != value:
        raise ValueError(f"expected the canonical form {canonical!r}, got {value!r}")
    return value


#: Only canonical quantities: the API server rewrites others, which would show as a difference for ever.
Cpu = Annotated[str, AfterValidator(_canonical_cpu)]
Memory = Annotated[str, AfterValidator(_canonical_memory)]
