"""Client for the service observe.

Each call waits for the response: traffic calls it from a separate thread (slipway/traffic/reports.py), so that an
unreachable service delays no request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import requests

from slipway.errors import ExitCode, SlipwayError
from slipway.observe.messages import MAX_ITEMS


class Client:
    """Client for one observe service.

    Args:
        url: Its base, as `http://observe.monitoring:9092`.
        timeout: Seconds for connecting and for each read.
    """

    def __init__(self, url: str, timeout: float = 3.0) -> None:
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.session = requests.Session()
        # A proxy of the user's shell cannot reach a server on loopback.
        self.session.trust_env = False

    def predicted(self, predictions: Sequence[Mapping[str, Any]]) -> None:
        """Report predictions, with the keys of `messages.Prediction`.

        Raises:
            SlipwayError: The service cannot be reached, or refuses a batch; earlier batches were accepted.
        """
        self._post("predictions", predictions)

    def labelled(self, labels: Sequence[Mapping[str, Any]]) -> None:
        """Report labels, with the keys of `messages.Label`; raises as `predicted`."""
        self._post("labels", labels)

    def _post(self, what: str, items: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(items), MAX_ITEMS):
            batch = json.dumps([dict(item) for item in items[start : start + MAX_ITEMS]])
            try:
                answer = self.session.post(f"{self.url}/v1/{what}", data=batch, timeout=self.timeout)
            except requests.RequestException as error:
                raise SlipwayError(
                    f"observe {self.url}: cannot be reached ({type(error).__name__})", ExitCode.UNREACHABLE
                ) from None
            if answer.status_code >= 500:
                raise SlipwayError(f"observe {self.url}: {answer.status_code} {answer.reason}", ExitCode.UNREACHABLE)
            if answer.status_code != 200:
                raise SlipwayError(f"observe {self.url}: {answer.text.strip()}")
