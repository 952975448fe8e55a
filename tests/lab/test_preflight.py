"""What stands in the way of an installation: older definitions of other owners, kinds that nobody knows, no cluster."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from builders import an_environment
from plugin_stack import MARKS, WIDGET_CRD, Options, Stack, established

from components.installing import install
from slipway.clients.kube import Kube
from slipway.errors import ExitCode, SlipwayError
from slipway.platform import preflight
from stacks import platform

pytestmark = MARKS
CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
GROUP = "sprockets.slipway.dev"
SPROCKETS = f"sprockets.{GROUP}"


def definition(*versions: str) -> Any:
    """A kind; the last version is the one in which objects are kept."""
    made = copy.deepcopy(WIDGET_CRD)
    made["metadata"]["name"] = SPROCKETS
    made["spec"] |= {
        "group": GROUP,
        "scope": "Cluster",
        "names": {"plural": "sprockets", "singular": "sprocket", "kind": "Sprocket", "listKind": "SprocketList"},
        "versions": [
            {**made["spec"]["versions"][0], "name": version, "storage": version == versions[-1]} for version in versions
        ],
    }
    return made


def sprocket(version: str) -> Any:
    return {"apiVersion": f"{GROUP}/{version}", "kind": "Sprocket", "metadata": {"name": "one"}, "spec": {"size": 3}}


@pytest.fixture
def older(lab: Any) -> Iterator[Kube]:
    """A cluster with an older definition, of which there is an object; kubectl put both there."""
    kube: Kube = lab.kube
    kube.create(definition("v1alpha1"), field_manager="kubectl-create")
    kube.wait_for(*CRD, SPROCKETS, None, established, timeout=30)
    kube.create(sprocket("v1alpha1"), field_manager="kubectl-create")
    yield kube
    kube.delete(*CRD, SPROCKETS)
    gone(kube)


def gone(kube: Kube) -> None:
    """Wait until the definition is away, with its objects: the next test makes it anew."""
    if (last := kube.find(*CRD, SPROCKETS)) is None:
        return
    seen, only = last["metadata"]["resourceVersion"], f"metadata.name={SPROCKETS}"
    events = kube.watch(*CRD, resource_version=seen, field_selector=only, timeout_seconds=30)
    assert "DELETED" in (event for event, _ in events)


def test_an_older_definition_of_another_owner_is_said(older: Kube) -> None:
    assert preflight.check(older, {"demo": [definition("v1alpha1", "v1")]}) == [
        "1 CustomResourceDefinitions exist already, written by kubectl-create; up replaces them with the pinned ones"
        f" and keeps their objects: {SPROCKETS}"
    ]
    # Of what is not there, nothing is said.
    other = definition("v1")
    other["metadata"]["name"] = "others.slipway.dev"
    assert preflight.check(older, {"demo": [other]}) == []


def test_a_definition_without_the_version_of_the_objects_there_is_refused(older: Kube) -> None:
    with pytest.raises(SlipwayError) as caught:
        preflight.check(older, {"demo": [definition("v1")]})
    assert str(caught.value) == (
        f"CustomResourceDefinition {SPROCKETS}: status.storedVersions: expected versions that the pinned definition"
        " has, got v1alpha1; rewrite the stored objects in a version that both definitions have, remove v1alpha1 from"
        " status.storedVersions, then run up again"
    )


def test_up_takes_an_older_definition_over_and_after_it_was_killed_another_goes_on(
    older: Kube, lab: Any, tmp_path: Path
) -> None:
    def program(*objects: Any) -> Any:
        def declare(options: Options) -> None:
            install(pulumi.ComponentResource("slipway:test:Demo", "demo", None, options()), objects)

        return declare

    def stack(name: str) -> Stack:
        (tmp_path / name).mkdir()
        return Stack(tmp_path / name, Path(lab.kubeconfig), upsert_existing_objects=True)

    newer = definition("v1alpha1", "v1")
    # What it made is in the cluster, its state is not there: it was killed before it could be written.
    killed = stack("killed").up(program(newer))
    whole = stack("whole")
    went_on, again = (whole.up(program(newer, sprocket("v1"))) for _ in range(2))

    assert (killed.errors, went_on.errors, again.errors, again.changed) == ([], [], [], {})
    found = older.get(*CRD, SPROCKETS)
    assert [version["name"] for version in found["spec"]["versions"]] == ["v1alpha1", "v1"]
    assert older.get(f"{GROUP}/v1", "Sprocket", "one")["spec"] == {"size": 3}
    # It is ours now.
    assert preflight.check(older, {"demo": [newer]}) == []


def test_a_kind_that_nobody_brings_is_refused_with_what_brings_it(lab: Any) -> None:
    certificate = {"apiVersion": "cert-manager.example/v1", "kind": "Certificate", "metadata": {"name": "a"}}
    with pytest.raises(SlipwayError) as caught:
        preflight.check(lab.kube, {"kserve": [certificate]})
    assert str(caught.value) == (
        "kserve: kind Certificate of cert-manager.example: neither the cluster nor this stack defines it; install its"
        " CustomResourceDefinition"
    )
    assert preflight.check(lab.kube, {"kserve": [sprocket("v1")], "other": [definition("v1")]}) == []
    assert preflight.check(lab.kube, {"kserve": [certificate]}, ["cert-manager.example"]) == []


@pytest.mark.parametrize("preview", [True, False])
def test_a_cluster_that_is_away_ends_an_up_in_one_line_and_not_a_preview(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preview: bool
) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "away", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "me", "user": {"token": "x"}}],
        "contexts": [{"name": "away", "context": {"cluster": "away", "user": "me"}}],
        "current-context": "away",
    }
    (tmp_path / "kubeconfig").write_text(pulumi.runtime.to_json(config))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    environment = an_environment(cluster={"identifier": "a", "kubeconfig": "kubeconfig"}, layers=["platform"])
    away = "cluster https://127.0.0.1:1 cannot be reached (ConnectionError)"
    if preview:
        platform.look(environment, {})
        assert said == [f"{away}; an up would stop here"]
    else:
        with pytest.raises(SlipwayError, match="cannot be reached") as caught:
            platform.look(environment, {})
        assert (str(caught.value), caught.value.exit_code) == (away, ExitCode.UNREACHABLE)
