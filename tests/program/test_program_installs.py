"""Components as the program registers them: each after what it needs, with its outputs."""

from __future__ import annotations

import importlib

from projects import CHECKOUT

from components.system import System
from slipway.settings.platform import Platform
from slipway.tools import toolchain
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


def test_every_system_that_settings_know_has_a_component_of_its_own():
    assert set(platform.COMPONENTS) == set(Platform.model_fields)
    found = {
        name: getattr(importlib.import_module(f"components.{name}"), its) for name, its in platform.COMPONENTS.items()
    }
    assert all(issubclass(component, System) for component in found.values())
    assert len({component.TOKEN for component in found.values()}) == len(found)
