"""The requests of a model's users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """One request.

    Args:
        body: The body of `POST /v2/models/<model>/infer`, with one row.
        inputs: The row's values by column, for observe; empty where nobody watches the inputs.
        label: What is really so; None where nobody will ever know.
    """

    body: bytes
    inputs: Mapping[str, Any] = field(default_factory=dict)
    label: float | None = None


@dataclass(frozen=True)
class Stream:
    """The users of one model.

    Args:
        model: Its name.
        url: What users ask, as `http://churn.models.localhost/v2/models/churn/infer`.
        requests: What they send, drawn at random, the same way every time.
        per_second: How many they send.
        namespace: The model's, for observe.
    """

    model: str
    url: str
    requests: Sequence[Request]
    per_second: float
    namespace: str = "models"
