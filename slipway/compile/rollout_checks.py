"""Checks of a rollout's settings, in the model and the environment; see `refusals`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator

from slipway.compile.canary import rollout_steps, strategy_of
from slipway.errors import at
from slipway.models.spec import ModelSpec
from slipway.rollout.plan import ModelPlan
from slipway.settings.environment import Environment

#: Seconds that one step may be expected to take. The judge holds a step until it has enough requests, so a rollout that
#: asks for too many stands still without failing. After a day, traffic has gone through its daily cycle: a longer step
#: adds no information.
LONGEST_STEP = 86_400


def field_of(spec: ModelSpec, field: str) -> str:
    """Return the place of a field in a model's file, as a message's prefix."""
    return at(f"models/{spec.name}.yaml", None, field)


def setting(environment: Environment, field: str) -> str:
    """Return the place of a setting in an environment's file, as a message's prefix."""
    return at(f"Pulumi.{environment.name}.yaml", None, f"slipway:{field}")


def increasing(steps: tuple[int, ...], where: str) -> Iterator[str]:
    """Refuse steps that do not increase."""
    if any(before >= after for before, after in itertools.pairwise(steps)):
        got, fixed = _list(steps), _list(sorted(set(steps)))
        yield f"{where}{got}: expected percentages that strictly increase; write {fixed}"


def running(spec: ModelSpec, plan: ModelPlan, environment: Environment) -> Iterator[str]:
    """Refuse to change the steps or the strategy of a rollout that is under way."""
    steps, strategy = rollout_steps(spec, environment), strategy_of(spec, environment)
    if not 0 < plan.weight < 100:
        return
    if strategy != "canary":
        own = strategy == spec.rollout.strategy
        where = field_of(spec, "rollout.strategy") if own else setting(environment, "rollout.strategy")
        yield (
            f"{where}{strategy}: a rollout of {spec.name} is at {plan.weight}% by steps, and Flagger would go on with"
            " its numbers; keep 'canary' until it has settled"
        )
    elif plan.weight not in steps:
        yield (
            f"{field_of(spec, 'rollout.steps')}{_list(steps)}: a rollout is at {plan.weight}%, and Flagger"
            " would go on from an unknown step straight to 100; keep that step until the rollout has settled"
        )


def rising_steps(spec: ModelSpec, environment: Environment) -> Iterator[str]:
    """Refuse a model's steps that do not increase."""
    yield from increasing(spec.rollout.steps or (), field_of(spec, "rollout.steps"))


def _strategy(spec: ModelSpec, environment: Environment) -> Iterator[str]:
    strategy, where = spec.rollout.strategy, field_of(spec, "rollout.strategy")
    if strategy_of(spec, environment) in ("canary", "immediate"):
        return
    elif environment.judge_url is None:
        yield (
            f"{where}{strategy} needs the judge, and {environment.name} has none; set"
            f" {_named(environment, 'judge_url')}, or take 'canary'"
        )
    elif strategy == "shadow" and not environment.gateway.mirrors:
        yield (
            f"{where}shadow needs a Gateway that copies requests, and"
            f" {_named(environment, 'gateway.mirrors')} names no way; set it to 'gateway-api' (filter RequestMirror) or"
            " 'traefik' if the Gateway can, or take 'canary'"
        )
    elif strategy == "shadow" and environment.gateway.mirrors == "traefik" and environment.delivery == "gitops":
        yield (
            f"{where}the judge ends a shadow by deleting its route, which Argo CD would make again; set"
            f" {_named(environment, 'delivery')} to 'direct', or take 'canary'"
        )


def _steps(spec: ModelSpec, environment: Environment) -> Iterator[str]:
    yield from rising_steps(spec, environment)
    if strategy_of(spec, environment) == "immediate":
        return
    steps = rollout_steps(spec, environment)
    where = field_of(spec, "rollout.steps")
    if spec.rollout.steps is None and spec.rollout.strategy == "canary":
        where += f"(from {_named(environment, 'rollout.steps')}) "
    yield from _first_step(spec, environment, steps, where)
    replicas = spec.serving.replicas
    if replicas.max > replicas.min and steps[-1] != 100:
        yield (
            f"{where}the last step is {steps[-1]}, expected 100, because serving.replicas lets the model scale: it"
            f" would be promoted at the size that {steps[-1]}% of the traffic needs; add 100"
        )


def _first_step(spec: ModelSpec, environment: Environment, steps: tuple[int, ...], where: str) -> Iterator[str]:
    """Refuse a first step that gathers too few requests in one interval, or with a judge in LONGEST_STEP."""
    rollout, interval, judged = spec.rollout, environment.rollout.interval_seconds, environment.judge_url is not None
    seconds = LONGEST_STEP if judged else interval
    arriving = rollout.requests_per_second * seconds
    if arriving * steps[0] / 100 >= rollout.min_requests_per_step:
        return
    enough = math.ceil(100 * rollout.min_requests_per_step / arriving)
    start = f"start at {enough} or " if enough <= 100 else ""
    if judged:
        remedy = f"{start}set rollout.min_requests_per_step to {math.floor(arriving * steps[0] / 100)} or less"
    else:
        longer = math.ceil(100 * rollout.min_requests_per_step / steps[0] / rollout.requests_per_second)
        remedy = f"{start}set {_named(environment, 'rollout.interval_seconds')} to {longer} or more"
    yield (
        f"{where}the first step, {steps[0]}% of rollout.requests_per_second {rollout.requests_per_second:g}, brings"
        f" {arriving * steps[0] / 100:.3g} requests in {seconds} s, expected rollout.min_requests_per_step"
        f" {rollout.min_requests_per_step}; {remedy}"
    )


def _pauses(spec: ModelSpec, environment: Environment) -> Iterator[str]:
    if not spec.rollout.pauses or strategy_of(spec, environment) == "immediate":
        return
    if environment.judge_url is None:
        yield (
            f"{field_of(spec, 'rollout.pauses')}pauses need the judge, and {environment.name} has none; set"
            f" {_named(environment, 'judge_url')}, or remove them"
        )
    steps = rollout_steps(spec, environment)
    for weight, seconds in spec.rollout.pauses.items():
        where = field_of(spec, f"rollout.pauses.{weight}")
        if weight not in steps:
            origin = "" if spec.rollout.steps else f" ({_named(environment, 'rollout.steps')})"
            yield (
                f"{where}{weight} is none of the steps {_list(steps)}{origin}: nothing would pause; name one of them,"
                " or set rollout.steps"
            )
        if seconds > LONGEST_STEP:
            yield f"{where}{seconds} s, expected at most {LONGEST_STEP} (a day); set less"


def _labels(spec: ModelSpec, environment: Environment) -> Iterator[str]:
    correct, labels, rollout = spec.objectives.correct_percent, spec.rollout.min_labels, spec.rollout
    where = field_of(spec, "rollout.min_labels")
    if labels and correct is None:
        yield (f"{where}{labels} labels without an objective for them; set objectives.correct_percent, or remove it")
    if correct is None:
        return
    if not labels:
        yield (f"{where}0: a candidate without any label would meet objectives.correct_percent; set at least 1")
    if strategy_of(spec, environment) == "immediate":
        return
    if environment.judge_url is None:
        yield (
            f"{field_of(spec, 'objectives.correct_percent')}only the judge compares predictions with labels, and"
            f" {environment.name} has none; set {_named(environment, 'judge_url')}, or remove it"
        )
    last = rollout_steps(spec, environment)[-1]
    most = math.floor(rollout.requests_per_second * last / 100 * LONGEST_STEP)
    if labels > most:
        yield (
            f"{where}{labels}, expected at most the {most} predictions that a day at the last step, {last}% of"
            f" rollout.requests_per_second {rollout.requests_per_second:g}, brings; set less"
        )


def _named(environment: Environment, field: str) -> str:
    """Return a setting's place for use within a sentence."""
    return setting(environment, field).removesuffix(": ")


def _list(steps: Iterable[int]) -> str:
    return ", ".join(map(str, steps))


ROLLOUT_CHECKS: tuple[Callable[[ModelSpec, Environment], Iterator[str]], ...] = (_strategy, _steps, _pauses, _labels)
