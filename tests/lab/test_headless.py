"""Why the three Services are headless, and made before Flagger looks: it cannot make a pair of its own (invariant 1).

The day this test fails, Flagger can, and the trio may become ordinary Services.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from local_stack import CANARY

from slipway.clients.kube import Kube

NAME = "plain"
#: Seconds for Flagger to look twice.
LOOKS = 60


@pytest.fixture
def plain(lab: Any) -> Iterator[Kube]:
    """An ordinary Service with a Canary, without a pair."""
    metadata = {"name": NAME, "namespace": "models"}
    service = {"selector": {"app": NAME}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
    lab.kube.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service})
    lab.kube.create(
        {
            "apiVersion": CANARY[0],
            "kind": CANARY[1],
            "metadata": metadata,
            "spec": {
                "provider": "gatewayapi:v1",
                "targetRef": {"apiVersion": "v1", "kind": "Service", "name": NAME},
                "service": {
                    "port": 80,
                    "hosts": [f"{NAME}.models.localhost"],
                    "gatewayRefs": [{"name": "models", "namespace": "gateway-system"}],
                },
                "analysis": {"interval": "10s", "threshold": 1, "stepWeights": [50]},
            },
        }
    )
    yield lab.kube
    lab.kube.delete(*CANARY, NAME, "models")
    lab.kube.delete("v1", "Service", NAME, "models")


def test_invariant_1_flagger_cannot_make_the_pair_of_an_ordinary_service(plain: Kube) -> None:
    told = plain.watch(
        "v1", "Event", "models", timeout_seconds=LOOKS, field_selector=f"involvedObject.name={NAME},type=Warning"
    )
    message = next(event["message"] for _, event in told)
    assert "clusterIPs" in message, message
    assert plain.find("gateway.networking.k8s.io/v1", "HTTPRoute", NAME, "models") is None
    assert (plain.get(*CANARY, NAME, "models").get("status") or {}).get("phase") in (None, "", "Initializing")
