"""Several stacks for one environment: which models each has, in which order they take a release.

Stacks may divide the models of one cluster (shards), or run the same pins in several clusters (regions).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from slipway.documents import nearest
from slipway.errors import ExitCode, SlipwayError
from slipway.models.spec import ModelSpec
from slipway.rollout import cluster
from slipway.rollout.observed import ObservedModel
from slipway.rollout.plan import Wanted
from slipway.settings import stack_file
from slipway.settings.environment import Environment, path_of


@dataclass(frozen=True)
class Earlier:
    """What the stack serves that this one comes after.

    Args:
        stack: Its name.
        serves: The version that its users get, by model; none where it could not be asked.
        away: Why it could not be asked.
    """

    stack: str
    serves: Mapping[str, int | None]
    away: str = ""


def share(
    project: Path, environment: Environment, specs: Mapping[str, ModelSpec]
) -> tuple[dict[str, ModelSpec], list[SlipwayError]]:
    """Return the models that a stack declares, with what is wrong about who declares which.

    A misspelt pattern would take every model away that it was meant for, so one that fits none is refused.
    """
    own = {name: spec for name, spec in specs.items() if environment.has(name)}
    where, problems = f"Pulumi.{environment.name}.yaml: slipway:models", list[SlipwayError]()
    for pattern in environment.models if specs and "models" in environment.layers else ():
        if pattern != "*" and not any(fnmatchcase(name, pattern) for name in specs):
            near = nearest(pattern, list(specs))
            hint = f"nearest is {near!r}" if near else f"there are {', '.join(specs)}"
            problems.append(SlipwayError(f"{where}: {pattern!r} fits no model spec; {hint}"))
    for other in _stacks(project, environment):
        place = (other.cluster.identifier, other.namespace)
        if place != (environment.cluster.identifier, environment.namespace):
            continue
        # Whole environments beside each other in one place are nobody's shards: the lab's tests have such.
        sharded = other.models != ("*",) or environment.models != ("*",)
        both = [name for name in own if other.has(name)]
        if sharded and both:
            problems.append(SlipwayError(f"{where}: {', '.join(both)}: declared by stack {other.name} too; one may"))
    return own, problems


def earlier(project: Path, environment: Environment) -> Earlier | None:
    """Ask the cluster of the stack that this one comes after; one that is away is no reason to stop.

    Raises:
        SlipwayError: There is no such stack, it has other pins, or it comes after this one itself.
    """
    if environment.after is None:
        return None
    where = f"Pulumi.{environment.name}.yaml: slipway:after: {environment.after}"
    before = stack_file.read_environment(project, environment.after)
    if path_of(project, before) != path_of(project, environment):
        raise SlipwayError(f"{where} has the pins {path_of(project, before).stem}; expected a stack of the same pins")
    if environment.name in _chain(project, before):
        raise SlipwayError(f"{where} comes after {environment.name} itself; one of them must be the first")
    try:
        return Earlier(before.name, serving(project, before))
    except SlipwayError as error:
        if error.exit_code is not ExitCode.UNREACHABLE:
            raise
        return Earlier(before.name, {}, str(error))


def in_turn(
    wanted: Mapping[str, Wanted], observed: Mapping[str, ObservedModel], before: Earlier | None, notices: list[str]
) -> dict[str, Wanted]:
    """Leave candidates out that the stack before this one does not serve yet; one that has begun here goes on."""
    if before is None:
        return dict(wanted)
    kept = {}
    for name, each in wanted.items():
        candidate, seen = each.candidate, observed.get(name, ObservedModel())
        begun = candidate and candidate.version in (seen.target_version, seen.live_version)
        if candidate and not begun and before.serves.get(name) != candidate.version:
            there = before.away or f"which serves {_version(before.serves.get(name))}"
            notices.append(f"{name}: {candidate.id} waits for stack {before.stack}, {there}")
            each = replace(each, candidate=None)
        kept[name] = each
    return kept


def others(project: Path, environment: Environment, model: str) -> dict[str, int]:
    """Say which version of a model the other stacks of the same pins serve; those that do not run it are left out.

    Raises:
        SlipwayError: One of them cannot be asked.
    """
    found = dict[str, int]()
    for other in _stacks(project, environment):
        if other.releases == "pinned" and path_of(project, other) == path_of(project, environment) and other.has(model):
            version = serving(project, other).get(model)
            found |= {other.name: version} if version is not None else {}
    return found


def serving(project: Path, environment: Environment) -> dict[str, int | None]:
    """Ask a stack's cluster which version its users get of each model.

    Raises:
        SlipwayError: It cannot be asked.
    """
    return {name: seen.live_version for name, seen in observe(project, environment).items()}


def observe(project: Path, environment: Environment) -> dict[str, ObservedModel]:
    """Read what a stack's cluster shows of the models that the stack has.

    Raises:
        SlipwayError: It cannot be asked.
    """
    return cluster.observe(cluster.connect(environment, project), environment.namespace, own(project, environment))


def own(project: Path, environment: Environment) -> list[str]:
    """Name the models that a stack has, from the names of their specs alone."""
    return [path.stem for path in (project / "models").glob("*.yaml") if environment.has(path.stem)]


def _stacks(project: Path, environment: Environment) -> Iterator[Environment]:
    """Yield the other stacks; one whose settings do not fit is refused when it is run itself."""
    for name in stack_file.stacks(project):
        if name != environment.name:
            try:
                yield stack_file.read_environment(project, name)
            except SlipwayError:
                continue


def _chain(project: Path, environment: Environment) -> list[str]:
    """Name the stacks that one comes after, the nearest first."""
    chain: list[str] = []
    while environment.after and environment.after not in chain:
        chain.append(environment.after)
        environment = stack_file.read_environment(project, environment.after)
    return chain


def _version(version: int | None) -> str:
    return "none" if version is None else f"v{version}"
