"""Requests of a model's users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """Inference request.

    Args:
        body: The body of `POST /v2/models/<model>/infer`, with one row.
        inputs: The row's values by column, for observe; empty without drift detection.
        label: The true value; None if it is never known.
    """

    body: bytes
    inputs: Mapping[str, Any] = field(default_factory=dict)
    label: float | None = None


@dataclass(frozen=True)
class Stream:
    """Users of one model.

    Args:
        url: The model's address, as `http://churn.models.localhost/v2/models/churn/infer`.
        requests: Their requests, drawn at random from a fixed seed.
    """

    model: str
    url: str
    requests: Sequence[Request]
    per_second: float
    namespace: str = "models"
