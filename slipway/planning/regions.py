"""Several stacks for one environment: the models of each and the order of their rollouts.

Stacks may divide the models of one cluster (shards) or run the same pins in several clusters (regions).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from slipway.documents import nearest
from slipway.errors import ExitCode, SlipwayError
from slipway.models.spec import ModelSpec
from slipway.rollout import cluster
from slipway.rollout.observed import ObservedModel
from slipway.rollout.plan import Wanted
from slipway.settings.checkout import Checkout
from slipway.settings.environment import Environment, path_of


@dataclass(frozen=True)
class Earlier:
    """Versions that the preceding stack serves.

    Args:
        stack: Its name.
        serves: Live version by model; empty if its cluster could not be reached.
        away: Why its cluster could not be reached; empty if it was.
    """

    stack: str
    serves: Mapping[str, int | None]
    away: str = ""


def share(checkout: Checkout, environment: Environment) -> tuple[dict[str, ModelSpec], list[SlipwayError]]:
    """Return the models that a stack declares, and the problems of its share.

    A misspelt pattern would remove the models that it was meant for, so a pattern that fits no model is refused.

    Raises:
        SlipwayError: A model spec does not fit.
    """
    specs = checkout.specs
    own = {name: spec for name, spec in specs.items() if environment.has(name)}
    where, problems = f"Pulumi.{environment.name}.yaml: slipway:models", list[SlipwayError]()
    for pattern in environment.models if specs and "models" in environment.layers else ():
        if pattern != "*" and not any(fnmatchcase(name, pattern) for name in specs):
            near = nearest(pattern, list(specs))
            hint = f"nearest is {near!r}" if near else f"there are {', '.join(specs)}"
            problems.append(SlipwayError(f"{where}: {pattern!r} fits no model spec; {hint}"))
    for other in _others(checkout, environment):
        place = (other.cluster.identifier, other.namespace)
        if place != (environment.cluster.identifier, environment.namespace):
            continue
        # Two stacks without patterns are separate environments, not shards: the lab's tests have such.
        sharded = other.models != ("*",) or environment.models != ("*",)
        both = [name for name in own if other.has(name)]
        if sharded and both:
            problems.append(SlipwayError(f"{where}: {', '.join(both)}: also declared by stack {other.name}; keep one"))
    return own, problems


def earlier(checkout: Checkout, environment: Environment) -> Earlier | None:
    """Return the versions that the preceding stack serves; its cluster may be unreachable.

    Raises:
        SlipwayError: There is no such stack, it has other pins, or it comes after this one.
    """
    if environment.after is None:
        return None
    where = f"Pulumi.{environment.name}.yaml: slipway:after: {environment.after}"
    before = checkout.stack(environment.after)
    if path_of(checkout.root, before) != path_of(checkout.root, environment):
        pins = path_of(checkout.root, before).stem
        raise SlipwayError(f"{where} has the pins {pins}; expected a stack of the same pins")
    if environment.name in _chain(checkout, before):
        raise SlipwayError(f"{where} comes after {environment.name} itself; one of them must be the first")
    try:
        return Earlier(before.name, serving(checkout, before, filter(before.has, checkout.specs)))
    except SlipwayError as error:
        if error.exit_code is not ExitCode.UNREACHABLE:
            raise
        return Earlier(before.name, {}, str(error))


def in_turn(
    wanted: Mapping[str, Wanted], observed: Mapping[str, ObservedModel], before: Earlier | None, notices: list[str]
) -> dict[str, Wanted]:
    """Drop candidates that the preceding stack does not serve yet, unless their rollout has begun here."""
    if before is None:
        return dict(wanted)
    kept = {}
    for name, each in wanted.items():
        candidate, seen = each.candidate, observed.get(name, ObservedModel())
        begun = candidate and candidate.version in (seen.target_version, seen.live_version)
        if candidate and not begun and before.serves.get(name) != candidate.version:
            version = before.serves.get(name)
            there = before.away or f"which serves {'none' if version is None else f'v{version}'}"
            notices.append(f"{name}: {candidate.id} waits for stack {before.stack}, {there}")
            each = replace(each, candidate=None)
        kept[name] = each
    return kept


def others(checkout: Checkout, environment: Environment, model: str) -> dict[str, int]:
    """Return the version of a model that each other stack of the same pins serves, if it runs the model.

    Raises:
        SlipwayError: The cluster of a stack cannot be reached.
    """
    found = dict[str, int]()
    for other in _others(checkout, environment):
        same = other.releases == "pinned" and path_of(checkout.root, other) == path_of(checkout.root, environment)
        if same and other.has(model):
            version = serving(checkout, other, [model])[model]
            found |= {other.name: version} if version is not None else {}
    return found


def serving(checkout: Checkout, environment: Environment, models: Iterable[str]) -> dict[str, int | None]:
    """Return the live version of each model in a stack's cluster.

    Raises:
        SlipwayError: The cluster cannot be reached.
    """
    return {name: seen.live_version for name, seen in observe(checkout, environment, models).items()}


def observe(checkout: Checkout, environment: Environment, models: Iterable[str]) -> dict[str, ObservedModel]:
    """Read the state of models from a stack's cluster.

    Raises:
        SlipwayError: The cluster cannot be reached.
    """
    return cluster.observe(cluster.connect(environment, checkout.root), environment.namespace, models)


def _others(checkout: Checkout, environment: Environment) -> list[Environment]:
    return [other for other in checkout.stacks if other.name != environment.name]


def _chain(checkout: Checkout, environment: Environment) -> list[str]:
    """List the stacks that precede one, the nearest first."""
    chain: list[str] = []
    while environment.after and environment.after not in chain:
        chain.append(environment.after)
        environment = checkout.stack(environment.after)
    return chain
