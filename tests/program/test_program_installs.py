"""Components as the program registers them: each after what it needs, with its outputs."""

from __future__ import annotations

from projects import CHECKOUT

from slipway.lab import toolchain
from stacks import platform

QUOTA = {"cpu": "8", "memory": "32Gi", "pods": 10}
SETTINGS = {
    "cluster": {"identifier": "dev"},
    "layers": ["platform"],
    "platform": {"cost": {"models": QUOTA, "training": QUOTA}, "network": {}},
}


def test_a_quota_is_set_once_its_namespace_is_there(run, monkeypatch):
    monkeypatch.setattr(platform, "inspect", lambda *_: None)
    for name in ("binary", "data"):
        monkeypatch.setattr(toolchain, name, lambda _: CHECKOUT)
    ran = run("dev", settings=SETTINGS)
    assert ran.exit_status is None, ran.said
    (cost,) = [each for each in ran.engine.registered if each.type == "slipway:cost:Cost"]
    assert {"models", "training", "models/default-deny"} <= cost.depends_on
    told = ran.engine.outputs["slipway-dev"]["platform"]
    assert told["network"] == {"namespaces": ["models", "training"]}
    assert told["cost"]["quotas"]["training"]["requests.cpu"] == "8"
