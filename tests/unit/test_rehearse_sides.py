"""Which two versions a rehearsal compares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from builders import a_release, a_spec, an_environment
from projects import Project

from slipway.errors import ExitCode, SlipwayError
from slipway.models.release import Column, Release
from slipway.models.spec import ModelSpec
from slipway.rehearse.sides import Sides, find_sides

SPEC = a_spec(gates=({"metric": "accuracy", "at_least": 0.8},))
STABLE, CANDIDATE = a_release(version=7), a_release(version=8)


class Registry:
    """A registry of one model, in memory."""

    def __init__(self, *releases: Release, alias: int | None = None) -> None:
        self.releases = {release.version: release for release in releases}
        self.alias = alias

    def champions(self, alias: str) -> dict[str, int]:
        return {SPEC.registered_model: self.alias} if self.alias and alias == "champion" else {}

    def running(self, specs: Mapping[str, ModelSpec], versions: Mapping[str, int]) -> dict[str, Release]:
        try:
            return {name: self.releases[version] for name, version in versions.items()}
        except KeyError as error:
            raise SlipwayError(f"no version {error}") from None


def sides(registry: Registry, project: Path = Path(), stable: int | None = None, **environment: Any) -> Sides:
    found = an_environment(**environment)
    return find_sides(registry, project, SPEC, found, 8, stable)  # type: ignore[arg-type]


def test_what_the_pins_name_is_compared_with_where_the_registry_has_its_bytes(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.pinned(STABLE)
    assert sides(Registry(STABLE, CANDIDATE), tmp_path) == Sides(STABLE, CANDIDATE)


def test_other_bytes_under_the_pinned_version_are_not_what_users_have(tmp_path: Path) -> None:
    Project(tmp_path).pinned(STABLE)
    other = a_release(version=7, digest="sha256:" + "0" * 64)
    with pytest.raises(SlipwayError, match=r"version 7 of this registry has other bytes; .*--stable <version>"):
        sides(Registry(other, CANDIDATE), tmp_path)
    with pytest.raises(SlipwayError, match=r"its bytes cannot be read: no version 7; .*--stable <version>"):
        sides(Registry(CANDIDATE), tmp_path)
    assert sides(Registry(other, CANDIDATE), tmp_path, stable=7).stable == other


def test_a_registry_that_is_away_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Project(tmp_path).pinned(STABLE)

    def away(*_: object) -> dict[str, Release]:
        raise SlipwayError("away", ExitCode.UNREACHABLE)

    registry = Registry()
    monkeypatch.setattr(registry, "running", away)
    with pytest.raises(SlipwayError, match=r"^away$") as told:
        sides(registry, tmp_path)
    assert told.value.exit_code is ExitCode.UNREACHABLE


def test_where_an_alias_is_followed_its_version_is_compared_with() -> None:
    assert sides(Registry(STABLE, CANDIDATE, alias=7), releases="follow").stable == STABLE
    with pytest.raises(SlipwayError, match="has no alias 'champion', which staging follows"):
        sides(Registry(STABLE, CANDIDATE), releases="follow")
    with pytest.raises(SlipwayError, match="--candidate 8 is what staging runs already"):
        sides(Registry(STABLE, CANDIDATE, alias=8), releases="follow")


def test_gates_that_fail_and_inputs_that_changed_are_told() -> None:
    signature = CANDIDATE.signature.model_copy(
        update={"inputs": (Column(name="age", type="long"), Column(name="plan", type="string"))}
    )
    worse = a_release(version=8, metrics={"accuracy": 0.7}).model_copy(update={"signature": signature})
    found = sides(Registry(STABLE, worse), stable=7)
    assert found.failed_gates == ("accuracy is 0.7, expected at least 0.8",)
    assert found.changed_inputs == ("age: double → long", "plan: nothing → string")
