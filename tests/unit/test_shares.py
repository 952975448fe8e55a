"""Whose requests failed, from what the gateway counted before and after."""

from __future__ import annotations

import re

from slipway.clients.prometheus import Prometheus, Sample
from slipway.traffic.shares import Share, Shares, shares

#: (service, code) -> (value at the start, value at the end); None where there is no such series yet.
Counted = dict[tuple[str, str], tuple[float | None, float]]
PRIMARY, CANARY = (f"models-churn-{side}-http-80@kubernetesgateway" for side in ("primary", "canary"))


class Gateway(Prometheus):
    """Answers with the values of a moment."""

    def __init__(self, counted: Counted) -> None:
        super().__init__("http://none")
        self.counted = counted

    def query(self, expression: str, at: float | None = None) -> tuple[Sample, ...]:
        moment = 0 if at == 100 else 1
        (wanted,) = re.findall(r'service=~"([^"]+)"', expression)
        return tuple(
            Sample({"service": service, "code": code}, value)
            for (service, code), values in self.counted.items()
            if (value := values[moment]) is not None and re.fullmatch(wanted, service)
        )


def counted(series: Counted) -> Shares:
    return shares(Gateway(series), "models", "churn", 100, 160)


def test_only_what_came_since_the_start_counts() -> None:
    assert counted({(PRIMARY, "200"): (40, 100), (PRIMARY, "502"): (3, 3)}).primary == Share(60, 0)


def test_a_failed_request_is_of_the_side_that_was_asked() -> None:
    found = counted({(PRIMARY, "200"): (0, 90), (CANARY, "200"): (None, 2), (CANARY, "500"): (None, 8)})
    assert found == Shares(primary=Share(90, 0), canary=Share(10, 8))


def test_a_copied_request_is_both_sides_and_counts_for_users_once() -> None:
    primary, canary = (f"models-churn-{side}-80@kubernetescrd" for side in ("primary", "canary"))
    series: Counted = {(PRIMARY, "200"): (0, 5), (primary, "200"): (0, 20), (canary, "200"): (0, 19)}
    assert counted({**series, (canary, "500"): (None, 1)}) == Shares(primary=Share(25, 0), canary=Share(20, 1))


def test_a_gateway_that_started_again_counts_from_zero() -> None:
    assert counted({(PRIMARY, "200"): (1000, 50)}).primary == Share(50, 0)
