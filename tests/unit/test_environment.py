"""Settings of a stack: read with their types, refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.errors import SlipwayError
from slipway.settings.environment import Environment

SETTINGS: dict[str, Any] = {
    "releases": "follow",
    "cluster": {"identifier": "lab"},
    "registry": {"tracking_uri": "http://127.0.0.1:5000"},
    "gateway": {"name": "public", "namespace": "gateway", "host_suffix": "models.example.com"},
    "service_account": "models",
    "runtime": "kserve-mlserver",
    "prometheus_url": "http://prometheus:9090",
    "rollout": {"strategy": "canary", "steps": [10, 50], "interval_seconds": 10, "threshold": 2},
    "protect": "true",
}


def parse(**changes: Any) -> Environment:
    return Environment.parse("local", {**SETTINGS, **changes}, "Pulumi.local.yaml")


def test_settings_become_an_environment() -> None:
    environment = parse()
    assert (environment.name, environment.namespace, environment.alias) == ("local", "models", "champion")
    assert environment.rollout.steps == (10, 50)
    assert environment.protect is True
    assert parse(protect=False).protect is False


def test_a_pinned_environment_may_have_a_registry_that_it_never_asks() -> None:
    assert parse(releases="pinned").registry.tracking_uri == "http://127.0.0.1:5000"
    assert parse(releases="pinned", registry={}).registry.tracking_uri is None


def test_a_stack_may_leave_the_judge_out() -> None:
    assert parse(judge_url="http://judge:9091").judge_url == "http://judge:9091"
    # Pulumi asks for every setting of its schema that has no default, so the default is the empty text.
    assert parse().judge_url is parse(judge_url="").judge_url is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"relases": "pinned"}, "relases: unknown key; nearest valid key is 'releases'"),
        ({"rollout": {**SETTINGS["rollout"], "stesp": []}}, "rollout.stesp: unknown key; nearest valid key is 'steps'"),
        ({"releases": "float"}, "releases: expected 'follow' or 'pinned', got 'float'"),
        ({"cluster": {}}, "cluster.identifier: missing; expected a text"),
        ({"cluster": "lab"}, "cluster: expected a mapping, got 'lab'"),
        ({"prometheus_url": "prometheus"}, "prometheus_url: expected a text that matches"),
        ({"judge_url": "http://judge:9091/"}, "judge_url: expected a text that matches"),
        ({"rollout": {**SETTINGS["rollout"], "interval_seconds": 5}}, "rollout.interval_seconds: expected at least 10"),
        ({"protect": "maybe"}, "protect: expected true or false, got 'maybe'"),
        ({"name": "x"}, "name: unknown key; the stack's own name is taken"),
        ({"runtime": None}, "runtime: expected a text (put it in quotes), got nothing"),
    ],
)
def test_a_wrong_setting_is_told_with_file_and_key(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SlipwayError) as raised:
        parse(**changes)
    assert str(raised.value).startswith(f"Pulumi.local.yaml: slipway:{message}")
