"""Every object of the platform, as each environment installs it, before the real API server with strict validation.

Definitions are created where the lab has none, everything else is a dry run: it passes through defaulting, validation,
admission, and stops before the store.
"""

from __future__ import annotations

import importlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from projects import CHECKOUT

from slipway.kube import Kube, KubeError
from slipway.lab import toolchain
from slipway.platform.charts import Charts, Object
from slipway.platform.context import Context
from slipway.platform.settings import Platform
from slipway.stack_file import read_environment

STACKS = ("dev", "staging", "prod")
#: Components that declare no object of Kubernetes.
ELSEWHERE: frozenset[str] = frozenset()
COMPONENTS = sorted(set(Platform.model_fields) - ELSEWHERE)
#: By stack with component.
Compiled = dict[tuple[str, str], tuple[Object, ...]]
DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")


def compiled(name: str, stack: str, *, kept: bool = True) -> tuple[Object, ...] | None:
    """Compile a component as an environment sets it, or return None where it does not install it."""
    environment = read_environment(CHECKOUT, stack)
    settings = getattr(environment.platform, name)
    if settings is None:
        return None
    charts = Charts(
        toolchain.binary("helm"), toolchain.data("charts"), toolchain.cache() / "rendered" if kept else None
    )
    module = importlib.import_module(f"slipway.platform.{name}")
    found: tuple[Object, ...] = getattr(module, f"compile_{name}")(settings, Context(environment, charts))
    return found


@pytest.fixture(scope="module")
def platform() -> Compiled:
    """What each component compiles to, for each stack that has it."""
    found = {(stack, name): compiled(name, stack) for stack in STACKS for name in COMPONENTS}
    return {key: objects for key, objects in found.items() if objects is not None}


@pytest.fixture(scope="module")
def kube(lab: Any, platform: Compiled) -> Kube:
    """The lab's API server, with the definitions that other objects are of, with all namespaces."""
    kube: Kube = lab.kube
    objects = {identity(each): each for declared in platform.values() for each in declared}
    kinds = {(each["apiVersion"].partition("/")[0], each["kind"]) for each in objects.values()}
    there = {each["metadata"]["name"] for each in kube.list(*DEFINITION)}
    first = [each for each in objects.values() if each["kind"] == "Namespace"]
    for each in objects.values():
        if each["kind"] == DEFINITION[1] and each["metadata"]["name"] not in there:
            spec = each["spec"]
            if (spec["group"], spec["names"]["kind"]) in kinds:
                first.append(each)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(kube.apply, first))
    for each in first:
        if each["kind"] == DEFINITION[1]:
            kube.wait_for(*DEFINITION, each["metadata"]["name"], None, established, timeout=60)
    return Kube.from_kubeconfig(lab.kubeconfig)


def identity(each: Object) -> tuple[str, str, str, str]:
    return each["apiVersion"], each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]


def established(definition: Object) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


#: What has been accepted, for another environment: most objects are the same in all of them.
ACCEPTED: set[str] = set()


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("stack", STACKS)
def test_every_object_is_accepted_as_it_is(kube: Kube, platform: Compiled, stack: str, component: str) -> None:
    if (stack, component) not in platform:
        pytest.skip(f"{stack} does not install it")
    objects = {json.dumps(each): each for each in platform[stack, component]}
    todo = [each for text, each in objects.items() if text not in ACCEPTED]
    with ThreadPoolExecutor(4) as pool:
        refused = list(filter(None, pool.map(lambda each: refusal(kube, each), todo)))
    assert refused == []
    ACCEPTED.update(objects)


def refusal(kube: Kube, each: Object) -> str | None:
    """Say why the server refuses an object."""
    try:
        kube.apply(each, dry_run=True, force=True)
    except KubeError as error:
        return f"{' '.join(identity(each))}: {error}"
    return None


@pytest.mark.parametrize("stack", STACKS)
def test_no_object_is_declared_twice(platform: Compiled, stack: str) -> None:
    declared = [identity(each) for (where, _), objects in platform.items() if where == stack for each in objects]
    assert sorted({each for each in declared if declared.count(each) > 1}) == []


@pytest.mark.parametrize("stack", STACKS)
def test_every_namespace_that_is_used_is_declared(lab: Any, platform: Compiled, stack: str) -> None:
    objects = [each for (where, _), declared in platform.items() if where == stack for each in declared]
    declared = {each["metadata"]["name"] for each in objects if each["kind"] == "Namespace"}
    used = {each["metadata"].get("namespace") for each in objects} - {None, "kube-system"}
    assert used - declared == set()


def test_compiled_once_more_without_what_is_kept_it_is_the_same(
    platform: Compiled,
) -> None:
    for name in COMPONENTS:
        if ("prod", name) in platform:
            assert compiled(name, "prod", kept=False) == platform["prod", name], name
