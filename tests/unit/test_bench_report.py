"""The arithmetic of the bench."""

from __future__ import annotations

import pytest

from tests.bench import report
from tests.bench.imports import Imports
from tests.bench.measure import Series, Size, counted_operations
from tests.bench.mlflow_registry import allowed_calls
from tests.bench.processes import Usage
from tests.bench.pure import Pure


def a_size(models: int, **walls: float) -> Size:
    programs = {program: Series((Usage(wall, {}, {}, ""),)) for program, wall in walls.items()}
    return Size(models, resources=models * 6, situations={"new": programs})


def test_the_exponent_is_taken_without_the_start_up() -> None:
    smaller, larger = a_size(100, E=1.5, S=2.5), a_size(1000, E=1.5, S=11.5)
    assert report.exponent(smaller, larger, "S") == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("models", "ours", "found"),
    [
        (10, 24, {"P/S, preview of 10 new models": True, "P/F, preview of 10 new models": True}),
        (10, 24.1, {"P/S, preview of 10 new models": False, "P/F, preview of 10 new models": False}),
        (100, 24, {"P/F, preview of 100 new models": True}),
        (1000, 11, {"P/S, preview of 1000 new models": True, "P/F, preview of 1000 new models": True}),
        (1000, 11.1, {"P/S, preview of 1000 new models": False, "P/F, preview of 1000 new models": True}),
    ],
)
def test_a_program_is_held_to_the_bare_ones_by_its_size(models: int, ours: float, found: dict[str, bool]) -> None:
    sizes = [a_size(models, E=1, F=6, S=20, P=ours)]
    assert {bar.name: bar.holds for bar in report.bars(sizes, None, (), None)} == found


@pytest.mark.parametrize(("compiled", "holds"), [(0.1, True), (0.11, False)])
def test_the_pure_path_is_held_to_libyaml(compiled: float, holds: bool) -> None:
    pure = Pure(1000, plan=0.5, compiled=compiled, canonical=0.1, libyaml_read=0.4, libyaml_dump=0.6)
    *_, bar = report.bars([a_size(100, F=1, P=1)], None, [pure], None)
    assert (bar.name, bar.holds) == ("pure path ÷ libyaml, 1000 models", holds)


def test_a_program_that_grows_faster_than_the_bare_one_misses_its_bar() -> None:
    sizes = [a_size(100, E=1, F=2, S=3, P=2), a_size(1000, E=1, F=8, S=21, P=20)]
    (bar,) = (bar for bar in report.bars(sizes, None, (), None) if "exponent" in bar.name)
    assert not bar.holds
    assert bar.measured == "1.28"


@pytest.mark.parametrize(
    ("seconds", "packages", "holds"),
    [
        (0.6, ("pulumi", "pydantic"), True),
        (1.6, ("pulumi", "pydantic"), False),
        (0.6, ("mlflow", "pulumi"), False),
        (0.6, ("pulumi", "pulumi_aws"), False),
    ],
)
def test_imports_must_be_quick_and_without_what_only_some_stacks_need(
    seconds: float, packages: tuple[str, ...], holds: bool
) -> None:
    sizes = [a_size(10, E=1, F=2, S=3, P=2)]
    *_, bar = report.bars(sizes, Imports(seconds, 800, packages), (), None)
    assert bar.holds is holds


@pytest.mark.parametrize(
    ("calls", "holds"),
    [({"GET models": 1, "GET versions": 1}, True), ({"GET models": 1, "GET versions": 1, "GET alias": 1}, False)],
)
def test_calls_of_the_registry_are_counted_over_all_paths(calls: dict[str, int], holds: bool) -> None:
    registry = report.RegistryCalls(1000, 3000, {}, calls, allowed_calls(1000, 3000))
    *_, bar = report.bars([a_size(10, E=1, F=2, S=3, P=2)], None, (), registry)
    assert bar.holds is holds


@pytest.mark.parametrize(("models", "versions", "calls"), [(1000, 3000, 2), (1001, 3000, 3), (1000, 10001, 3)])
def test_allowed_calls_grow_with_pages_only(models: int, versions: int, calls: int) -> None:
    assert allowed_calls(models, versions) == calls


@pytest.mark.parametrize(
    ("lines", "operations"),
    [
        (["    + 22 to create", ""], 22),
        (["    + 1 to create", "    ~ 1 to update", "    2 changes. 24 unchanged"], 26),
        (["    26 unchanged"], 26),
    ],
)
def test_the_engines_own_summary_is_counted(lines: list[str], operations: int) -> None:
    assert counted_operations(["+  kubernetes:core/v1:Service 3 to create", "Resources:", *lines]) == operations


def test_a_machine_that_is_not_quiet_is_said() -> None:
    size = a_size(10)
    size.situations["new"]["E"] = Series((Usage(1.0, {}, {}, ""), Usage(1.5, {}, {}, ""), Usage(1.0, {}, {}, "")))
    assert list(report.noise([size])) == ["noisy: at 10 models the empty program varied by 50%, not at most 20%"]
