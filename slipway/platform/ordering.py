"""Order of installation, derived from the objects' dependencies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from slipway.errors import SlipwayError
from slipway.objects import Object


def ordered(compiled: Mapping[str, Sequence[Object]]) -> dict[str, tuple[str, ...]]:
    """Return the components that each must follow, because they define its kinds or declare its namespaces.

    Returns:
        By component, dependencies first and otherwise in the given order.

    Raises:
        SlipwayError: The dependencies have a cycle.
    """
    brought = {what: name for name in reversed(list(compiled)) for what in _brings(compiled[name])}
    needs = {}
    for name, objects in compiled.items():
        own = set(_brings(objects))
        needs[name] = sorted({brought[what] for what in _uses(objects) if what in brought and what not in own})
    try:
        return {name: tuple(needs[name]) for name in TopologicalSorter(needs).static_order()}
    except CycleError as error:
        circle = " needs ".join(error.args[1])
        raise SlipwayError(f"platform: {circle}: circular dependency; remove one of these systems") from None


def _brings(objects: Iterable[Object]) -> Iterator[tuple[str, str]]:
    for each in objects:
        if each["kind"] == "Namespace":
            yield "", each["metadata"]["name"]
        elif each["kind"] == "CustomResourceDefinition":
            yield each["spec"]["group"], each["spec"]["names"]["kind"]


def _uses(objects: Iterable[Object]) -> Iterator[tuple[str, str]]:
    for each in objects:
        yield "", each["metadata"].get("namespace", "")
        yield each["apiVersion"].rpartition("/")[0] or "core", each["kind"]
