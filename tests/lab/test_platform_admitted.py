"""Every object of the platform, as each environment installs it, before the real API server with strict validation.

Definitions are created where the lab has none, everything else is a dry run: it passes through defaulting, validation,
admission, and stops before the store.
"""

from __future__ import annotations

import json
import re
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, get_args, get_type_hints

import pytest
import yaml
from projects import CHECKOUT

from slipway.clients.kube import Kube, KubeError
from slipway.lab import manifests
from slipway.objects import Object
from slipway.platform.compiling import SYSTEMS, context_of
from slipway.platform.context import TO_BE_MADE
from slipway.settings.checkout import Checkout
from slipway.settings.platform import Platform
from slipway.settings.stack_file import read_environment

#: On the last one stands, with its defaults, what no environment installs.
STACKS = ("dev", "staging", "prod", "any")
#: Components that declare no object of Kubernetes.
ELSEWHERE: frozenset[str] = frozenset()
#: By stack with component.
Compiled = dict[tuple[str, str], tuple[Object, ...]]
NAMESPACE = ("v1", "Namespace")
DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")


def settings_of(name: str, stack: str) -> Any:
    """Say how an environment sets a component; None leaves it out."""
    if stack != "any":
        return getattr(read_environment(CHECKOUT, stack).platform, name)
    if any(settings_of(name, each) for each in STACKS[:-1]):
        return None
    settings, _ = get_args(get_type_hints(Platform)[name])
    return settings()


INSTALLED = [
    (stack, name)
    for stack in STACKS
    for name in sorted(set(Platform.model_fields) - ELSEWHERE)
    if settings_of(name, stack)
]


def compiled(stack: str, name: str, *, kept: bool = True) -> tuple[Object, ...]:
    """Compile a component as an environment sets it."""
    context = context_of(read_environment(CHECKOUT, "prod" if stack == "any" else stack), Checkout(CHECKOUT))
    if not kept:
        context = replace(context, charts=replace(context.charts, kept=None))
    (compile_one,) = (each.compile for each in SYSTEMS if each.name == name)
    return compile_one(settings_of(name, stack), context)


@pytest.fixture(scope="module")
def platform() -> Compiled:
    """What each component compiles to, for each stack that has it."""
    return {(stack, name): compiled(stack, name) for stack, name in INSTALLED}


@pytest.fixture(scope="module")
def kube(lab: Any, platform: Compiled) -> Kube:
    """The lab's API server, with the namespaces, with the definitions that other objects are of."""
    kube: Kube = lab.kube
    objects = {identity(each): each for declared in platform.values() for each in declared}.values()
    kinds = {(each["apiVersion"].partition("/")[0], each["kind"]) for each in objects}
    there = {each["metadata"]["name"] for kind in (DEFINITION, NAMESPACE) for each in kube.list(*kind)}
    missing = [each for each in objects if each["metadata"]["name"] not in there]
    definitions = [
        each
        for each in missing
        if each["kind"] == DEFINITION[1] and (each["spec"]["group"], each["spec"]["names"]["kind"]) in kinds
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(kube.apply, [*(each for each in missing if each["kind"] == NAMESPACE[1]), *definitions]))
    for each in definitions:
        kube.wait_for(*DEFINITION, each["metadata"]["name"], None, established, timeout=60)
    # On a busy machine the API server takes more than half a minute for KServe's definitions, megabytes of schemas.
    return Kube.from_kubeconfig(lab.kubeconfig, timeout=180)


def identity(each: Object) -> tuple[str, str, str, str]:
    return each["apiVersion"], each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]


def established(definition: Object) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


#: What has been accepted, for another environment: most objects are the same in all of them.
ACCEPTED: set[str] = set()


@pytest.mark.parametrize(("stack", "component"), INSTALLED)
def test_every_object_is_accepted_as_it_is(kube: Kube, platform: Compiled, stack: str, component: str) -> None:
    objects = {json.dumps(each): each for each in platform[stack, component]}
    todo = [each for text, each in objects.items() if text not in ACCEPTED]
    with ThreadPoolExecutor(4) as pool:
        refused = list(filter(None, pool.map(lambda each: refusal(kube, each), todo)))
    assert not refused, "\n".join(refused)
    ACCEPTED.update(objects)


def refusal(kube: Kube, each: Object) -> str | None:
    """Say why the server refuses an object."""
    try:
        if each["kind"] in (NAMESPACE[1], DEFINITION[1]):
            kube.apply(each, dry_run=True, force=True)
        elif each["kind"] == "ClusterServingRuntime":
            # Two for one format are refused by KServe, so it takes the place of the lab's own.
            kube.apply(renamed(each, manifests.RUNTIME), dry_run=True, force=True)
        else:
            # Not an apply: the lab's own objects, some of the same name, would be merged into it.
            kube.create(renamed(each, f"{each['metadata']['name']}-x"), dry_run=True)
    except KubeError as error:
        return f"{' '.join(identity(each))}: {error}"
    return None


def renamed(each: Object, name: str) -> Object:
    return {**each, "metadata": {**each["metadata"], "name": name}}


@pytest.mark.parametrize("stack", STACKS)
def test_no_object_is_declared_twice(platform: Compiled, stack: str) -> None:
    declared = [identity(each) for (where, _), objects in platform.items() if where == stack for each in objects]
    assert sorted({each for each in declared if declared.count(each) > 1}) == []


@pytest.mark.parametrize("stack", STACKS)
def test_every_namespace_that_is_used_is_declared(platform: Compiled, stack: str) -> None:
    objects = [each for (where, _), declared in platform.items() if where == stack for each in declared]
    declared = {each["metadata"]["name"] for each in objects if each["kind"] == NAMESPACE[1]}
    used = {each["metadata"].get("namespace") for each in objects} - {None, "kube-system"}
    assert used - declared == set()


def test_compiled_once_more_without_what_is_kept_it_is_the_same(platform: Compiled) -> None:
    for stack, name in platform:
        if stack in ("prod", "any"):
            assert compiled(stack, name, kept=False) == platform[stack, name], name


def test_what_people_are_told_to_apply_by_hand_is_accepted(kube: Kube) -> None:
    text = (CHECKOUT / "docs" / "operations.md").read_text()
    found = re.findall(r"<<'YAML'\n(.*?)\n +YAML\n", text, re.DOTALL)
    found += re.findall(r"^    apiVersion: .*?\n\n", text, re.DOTALL | re.MULTILINE)
    objects = [yaml.safe_load(textwrap.dedent(each)) for each in found]
    assert [each["kind"] for each in objects] == ["BackupStorageLocation", "Job"]
    for each in objects:
        assert refusal(kube, {**each, "metadata": {"namespace": "feature-store", **each["metadata"]}}) is None


def test_every_entry_of_the_secret_store_is_named_where_installing_is_explained(platform: Compiled) -> None:
    told = (CHECKOUT / "docs" / "operations.md").read_text()
    asked = {
        (stack, each["spec"]["dataFrom"][0]["extract"]["key"])
        for (stack, _), objects in platform.items()
        for each in objects
        if each["kind"] == "ExternalSecret"
    }
    # RDS names its entry itself; that of Argo CD is a setting.
    ours = [(stack, key) for stack, key in asked if key not in (TO_BE_MADE.secret, f"slipway/{stack}/argocd")]
    assert len(ours) >= 3
    for stack, key in ours:
        assert f"`{key.replace(f'slipway/{stack}/', 'slipway/<stack>/')}`" in told
