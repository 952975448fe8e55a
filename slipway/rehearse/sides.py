"""The two versions of a rehearsal: the environment's stable release and the candidate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from slipway.errors import ExitCode, SlipwayError
from slipway.models.gates import failed_gates
from slipway.models.pins import load_pins, pinned
from slipway.models.release import Release, Releases
from slipway.models.spec import ModelSpec
from slipway.registry import Registry
from slipway.settings.environment import Environment, path_of


@dataclass(frozen=True)
class Sides:
    """The stable release and the candidate."""

    stable: Release
    candidate: Release
    #: Reasons for which the candidate could not be released, one line each.
    failed_gates: tuple[str, ...] = ()

    @property
    def changed_inputs(self) -> tuple[str, ...]:
        """Input columns that only one side has, or that have another type; clients must then change requests."""
        sides = self.stable, self.candidate
        before, after = ({each.name: each.type for each in side.signature.inputs} for side in sides)
        return tuple(
            f"{name}: {before.get(name, 'nothing')} → {after.get(name, 'nothing')}"
            for name in sorted({*before, *after})
            if before.get(name) != after.get(name)
        )


def find_sides(
    registry: Registry, project: Path, spec: ModelSpec, environment: Environment, candidate: int, stable: int | None
) -> Sides:
    """Read both releases from the registry, which must have their bytes.

    The candidate and `stable` are registry versions; by default the environment's pins or alias name the stable one.

    Raises:
        SlipwayError: A version is missing, or both are the same.
    """
    if stable is not None:
        before = registry.running({spec.name: spec}, {spec.name: stable})[spec.name]
    elif environment.releases == "follow":
        before = _followed(registry, spec, environment)
    else:
        before = _pinned(registry, project, spec, environment)
    after = registry.running({spec.name: spec}, {spec.name: candidate})[spec.name]
    if before.version == after.version:
        raise SlipwayError(
            f"rehearse {spec.name}: --candidate {candidate} is what {environment.name} runs already; name another"
            " version, or what to compare it with: --stable <version>"
        )
    return Sides(before, after, tuple(reason for _, reason in failed_gates(spec, after)))


def _followed(registry: Registry, spec: ModelSpec, environment: Environment) -> Release:
    version = registry.champions(environment.alias).get(spec.registered_model)
    if version is None:
        raise SlipwayError(
            f"models/{spec.name}.yaml: registered_model: {spec.registered_model!r} has no alias {environment.alias!r},"
            f" which {environment.name} follows; set it, or name what to compare with: --stable <version>"
        )
    return registry.running({spec.name: spec}, {spec.name: version})[spec.name]


def _pinned(registry: Registry, project: Path, spec: ModelSpec, environment: Environment) -> Release:
    path, frozen = path_of(project, environment), Releases(project / "releases")
    wanted, _ = pinned(path, load_pins(path), spec.name, frozen)
    remedy = "rehearse with the registry that has them, or name what to compare with: --stable <version>"
    try:
        found = registry.running({spec.name: spec}, {spec.name: wanted.version})[spec.name]
    except SlipwayError as error:
        if error.exit_code is ExitCode.UNREACHABLE:
            raise
        raise SlipwayError(f"release {spec.name}/{wanted.id}: its bytes cannot be read: {error}; {remedy}") from None
    if found.artifact.digest != wanted.artifact.digest:
        raise SlipwayError(
            f"release {spec.name}/{wanted.id}: version {wanted.version} of this registry has other bytes; {remedy}"
        )
    return found
