"""Requests and failures of the primary's and the canary's share, counted by the gateway.

An error response names no version, and while a canary has traffic either side may have sent it. The gateway counts by
the Service that it sent each request to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from slipway.clients.prometheus import Prometheus, growth


@dataclass(frozen=True)
class Share:
    """Requests of one side in a period, and those not answered with 2xx."""

    requests: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Shares:
    """Shares of both sides of one model."""

    primary: Share = Share()
    canary: Share = Share()


def shares(prometheus: Prometheus, namespace: str, model: str, start: float, end: float) -> Shares:
    """Count a model's requests from `start` to `end` (seconds since the epoch), by side.

    Raises:
        SlipwayError: Prometheus cannot be reached.
    """
    # Traefik's names of a route's backend (pkg/provider/kubernetes/gateway/httproute.go, loadService) and of compile's
    # copying Services (pkg/provider/kubernetes/crd/kubernetes_http.go, fullServiceName): a copy counts for the canary.
    service = f"{namespace}-{model}-(primary|canary)-(http-[0-9]+@kubernetesgateway|[0-9]+@kubernetescrd)"
    query = f'sum by (service, code) (traefik_service_requests_total{{service=~"{service}"}})'
    before = {_key(sample.labels): sample.value for sample in prometheus.query(query, start)}
    counted: dict[str, Share] = {"primary": Share(), "canary": Share()}
    for sample in prometheus.query(query, end):
        side, code = _key(sample.labels)
        count = round(growth(before.get((side, code), 0.0), sample.value))
        so_far = counted[side]
        failed = 0 if code.startswith("2") else count
        counted[side] = Share(so_far.requests + count, so_far.failed + failed)
    return Shares(**counted)


def _key(labels: Mapping[str, str]) -> tuple[str, str]:
    side = re.search(r"-(primary|canary)-(?:http-)?[0-9]+@", labels["service"])
    assert side
    return side[1], labels["code"]
