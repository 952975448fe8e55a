"""No setting does nothing: another valid value changes what is compiled or refused."""

from __future__ import annotations

from typing import Any

import pytest
from settings_space import CHARTS, bases, leaves, matters

#: Settings whose effect is not on compiled objects, each with the test that shows it.
ELSEWHERE = {
    "releases": "tests/program/test_program_observes.py",
    "pins": "tests/unit/test_regions.py",
    "after": "tests/unit/test_regions.py",
    "alias": "tests/program/test_program_observes.py",
    "cluster.kubeconfig": "tests/unit/test_cluster.py",
    "cluster.context": "tests/unit/test_cluster.py",
    "cluster.identifier": "tests/program/test_program_registers.py",
    "registry.tracking_uri": "tests/program/test_program_observes.py",
    "gateway.scheme": "tests/program/test_program_registers.py",
    "protect": "tests/program/test_program_registers.py",
    "layers": "tests/program/test_program_layers.py",
    "models": "tests/unit/test_regions.py",
    "gitops.repository": "tests/unit/test_platform_argocd.py",
    "gitops.revision": "tests/unit/test_platform_argocd.py",
    "gitops.directory": "tests/unit/test_platform_argocd.py",
    "gitops.checkout": "tests/unit/test_gitops_render.py",
    "gitops.stacks": "tests/unit/test_platform_argocd.py",
}
#: Systems with charts, whose settings are shown by tests/lab/test_platform_compiled.py and the tests of each.
PLACES = dict.fromkeys(place for base in bases() for place in leaves(base))


def compiled_here(place: tuple[Any, ...]) -> bool:
    if place[:2] == ("cluster", "eks"):
        # tests/program/test_aws_declares.py.
        return False
    return ".".join(map(str, place)) not in ELSEWHERE and (place[0] != "platform" or place[1] not in CHARTS)


@pytest.mark.parametrize("place", [*filter(compiled_here, PLACES)], ids=lambda place: ".".join(map(str, place)))
def test_another_value_of_a_setting_changes_something(place: tuple[Any, ...]) -> None:
    assert matters(place)


def test_settings_that_are_shown_elsewhere_exist() -> None:
    assert set(ELSEWHERE) <= {".".join(map(str, place)) for place in PLACES}
