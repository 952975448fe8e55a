"""Thin client of Prometheus' HTTP API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from slipway.errors import ExitCode, SlipwayError


@dataclass(frozen=True)
class Sample:
    """Value of an instant query; `labels` without the metric's name identify it."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True)
class Series:
    """Values over time: points of (seconds since the epoch, value), oldest first."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


def growth(before: float, now: float) -> float:
    """Return the increase of a counter; a counter that fell was restarted and counts from zero."""
    return now - before if now >= before else now


class Prometheus:
    """Client for one Prometheus server.

    Args:
        url: Its base, as `http://prometheus.monitoring:9090`.
        timeout: Seconds for connecting and for each read; Flagger waits five for the judge's own answer.
    """

    def __init__(self, url: str, timeout: float = 3.0) -> None:
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.session = requests.Session()
        # A proxy of the user's shell cannot reach a server on loopback.
        self.session.trust_env = False

    def query(self, expression: str, at: float | None = None) -> tuple[Sample, ...]:
        """Evaluate an expression at one time (now by default); without data there is no sample.

        Raises:
            SlipwayError: The server cannot be reached, or refuses the expression.
        """
        found = self._ask("query", {"query": expression, "time": at})
        return tuple(Sample(each["metric"], float(each["value"][1])) for each in found)

    def query_range(self, expression: str, start: float, end: float, step: float) -> tuple[Series, ...]:
        """Evaluate an expression every `step` seconds from `start` to `end` (seconds since the epoch).

        Raises:
            SlipwayError: As `query`.
        """
        found = self._ask("query_range", {"query": expression, "start": start, "end": end, "step": step})
        return tuple(
            Series(each["metric"], tuple((float(at), float(value)) for at, value in each["values"])) for each in found
        )

    def _ask(self, path: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        try:
            answer = self.session.post(f"{self.url}/api/v1/{path}", data=dict(parameters), timeout=self.timeout)
            body = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise SlipwayError(
                f"Prometheus {self.url}: cannot be reached ({type(error).__name__})", ExitCode.UNREACHABLE
            ) from None
        if body.get("status") != "success":
            raise SlipwayError(f"Prometheus {self.url}: {body.get('error') or answer.reason}")
        return list(body["data"]["result"])
