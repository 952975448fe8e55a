"""Layers: in one stack, or in several that find each other."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
import yaml
from states import STABLE

from slipway.errors import NotYet
from slipway.planning import regions, verification
from slipway.platform import compiling
from slipway.platform.charts import Charts
from slipway.settings.environment import LAYERS
from stacks import environment

TOLD = environment.TOLD
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flagger-system"}}


@pytest.fixture
def flagger(monkeypatch):
    """Settings of a platform with one component, whose chart nobody renders here."""
    monkeypatch.setattr(Charts, "render", lambda *_: (NAMESPACE,))
    monkeypatch.setattr(compiling.toolchain, "binary", lambda name: name)
    monkeypatch.setattr(compiling.toolchain, "data", lambda name: name)
    return {"platform": {"flagger": {}}}


def refers_to(monkeypatch, outputs: dict[str, Any] | None) -> None:
    async def details(self: Any, name: str) -> Any:
        assert self._name == "organization/slipway/prod-platform"
        return pulumi.stack_reference.StackReferenceOutputDetails(value=(outputs or {}).get(name))

    def init(self: Any, name: str, stack_name: str | None = None, opts: Any = None) -> None:
        self._name = name

    monkeypatch.setattr(pulumi.StackReference, "__init__", init)
    monkeypatch.setattr(pulumi.StackReference, "get_output_details", details)


def said(ran: Any, level: str = "error") -> str:
    return "\n".join(ran.said.get(level, []))


def test_models_come_after_everything_under_them_and_go_before_it(project, run, flagger):
    project.pinned(STABLE)
    ran = run(settings=flagger)
    providers = {one.name: one for one in ran.engine.registered if one.type == "pulumi:providers:kubernetes"}
    assert set(providers) == {"staging", "staging-platform"}
    assert "flagger-system" in providers["staging"].depends_on
    assert {one.parent for one in ran.engine.registered if one.type == "slipway:flagger:Flagger"} == {"staging"}


def test_an_environment_without_systems_of_its_own_has_one_provider(project, run):
    project.pinned(STABLE)
    ran = run()
    assert [one.name for one in ran.engine.registered if one.type == "pulumi:providers:kubernetes"] == ["staging"]


def test_an_up_without_a_cluster_makes_it_before_the_models(project, run, flagger, monkeypatch):
    def connect(*_: Any) -> Any:
        raise NotYet("cluster slipway-staging does not exist yet")

    monkeypatch.setattr(regions.cluster, "connect", connect)
    monkeypatch.setattr(verification, "verify", lambda releases: [] if releases == (STABLE,) else [releases])
    project.pinned(STABLE)
    ran = run(preview=False, settings=flagger)
    assert ran.exit_status is None
    assert said(ran, "info") == "cluster slipway-staging does not exist yet; it is created first, then the models"
    assert ran.one("InferenceService", "churn-v7")
    ran = run(preview=False, settings={"layers": ["metrics", "models"]})
    assert ran.exit_status == TOLD


@pytest.mark.parametrize("layers", [["platform"], ["metrics"], ["models"]])
def test_a_stack_declares_its_layers_alone(project, run, flagger, monkeypatch, layers):
    refers_to(monkeypatch, {"stack": {"cluster": "staging", "namespace": "models", "layers": list(LAYERS)}})
    project.pinned(STABLE)
    ran = run(settings={**flagger, "layers": layers, "platform_stack": "prod-platform"})
    assert ran.exit_status is None
    kinds = {one.type.rpartition(":")[2] for one in ran.objects}
    assert ("Namespace" in kinds, "MetricTemplate" in kinds, "Canary" in kinds) == (
        layers == ["platform"],
        layers == ["metrics"],
        layers == ["models"],
    )
    assert ran.engine.outputs["slipway-staging"]["stack"]["layers"] == layers


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cluster": "prod"}, "has cluster prod, this stack has staging"),
        ({"namespace": "x"}, "has namespace x, this stack has models"),
        ({"layers": ["platform"]}, "declares platform; add metrics to slipway:layers of one of them"),
    ],
)
def test_a_platform_that_does_not_fit_is_refused(project, run, monkeypatch, changes, expected):
    fits = {"cluster": "staging", "namespace": "models", "layers": ["platform", "metrics"]}
    refers_to(monkeypatch, {"stack": {**fits, **changes}})
    project.pinned(STABLE)
    ran = run(settings={"layers": ["models"], "platform_stack": "prod-platform"})
    assert ran.exit_status == TOLD
    assert expected in said(ran)
    assert not ran.objects


def test_a_platform_that_was_never_deployed_stops_an_up_but_no_preview(project, run, monkeypatch):
    refers_to(monkeypatch, None)
    project.pinned(STABLE)
    settings = {"layers": ["models"], "platform_stack": "prod-platform"}
    ran = run(settings=settings)
    assert ran.exit_status is None
    assert "`slipway up -s prod-platform` comes first" in said(ran, "warning")
    ran = run(settings=settings, preview=False)
    assert ran.exit_status == TOLD
    assert "has not been deployed" in said(ran)


@pytest.mark.parametrize("stack", ["local", "dev", "staging", "prod"])
def test_nothing_is_made_by_a_provider_that_nobody_named(project, run, flagger, stack):
    schema = yaml.safe_load((project.root / "Pulumi.yaml").read_text())["config"]
    assert schema["pulumi:disable-default-providers"]["value"] == ["*"]
    own = yaml.safe_load((project.root / f"Pulumi.{stack}.yaml").read_text())["config"]["slipway:cluster"]
    cluster = {"identifier": own["identifier"]}
    project.pinned(STABLE, environment=stack)
    ran = run(stack, settings={**flagger, "cluster": cluster, "releases": "pinned"})
    made = [one for one in ran.engine.registered if one.type.startswith("pulumi:providers:")]
    assert {one.inputs["clusterIdentifier"] for one in made} == {own["identifier"]}
    named = {f"{one.name}-id" for one in made}
    assert ran.objects
    assert {one.provider.rpartition("::")[2] for one in ran.objects} == named
