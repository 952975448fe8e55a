"""Components come after those whose kinds, whose namespaces they use."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.errors import SlipwayError
from slipway.platform.ordering import ordered


def an(kind: str, version: str = "v1", namespace: str = "", **spec: Any) -> dict[str, Any]:
    metadata = {"name": spec.pop("name", "x"), **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def defining(group: str, kind: str) -> dict[str, Any]:
    return an("CustomResourceDefinition", "apiextensions.k8s.io/v1", group=group, names={"kind": kind})


def test_a_component_comes_after_the_one_that_defines_its_kinds() -> None:
    compiled = {
        "mlflow": [an("Namespace", name="mlflow"), an("ExternalSecret", "external-secrets.io/v1", "mlflow")],
        "secrets": [defining("external-secrets.io", "ExternalSecret")],
    }
    assert ordered(compiled) == {"secrets": (), "mlflow": ("secrets",)}
    assert list(ordered(compiled)) == ["secrets", "mlflow"]


def test_a_component_comes_after_the_one_that_declares_its_namespace() -> None:
    compiled = {"cost": [an("ResourceQuota", namespace="models")], "network": [an("Namespace", name="models")]}
    assert ordered(compiled) == {"network": (), "cost": ("network",)}


def test_what_a_component_brings_itself_it_needs_of_nobody() -> None:
    both = [defining("a.io", "A"), an("A", "a.io/v1"), an("Namespace", name="n"), an("Pod", namespace="n")]
    assert ordered({"one": both, "other": both}) == {"one": (), "other": ()}


def test_components_without_needs_keep_their_order() -> None:
    assert list(ordered({name: [an("Pod")] for name in "cab"})) == ["c", "a", "b"]


def test_two_that_need_each_other_are_refused_by_name() -> None:
    compiled = {
        "one": [an("Namespace", name="n"), an("B", "b.io/v1")],
        "other": [defining("b.io", "B"), an("Pod", namespace="n")],
    }
    with pytest.raises(SlipwayError, match=r"platform: (one needs other|other needs one)"):
        ordered(compiled)
