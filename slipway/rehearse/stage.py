"""Objects of a rehearsal: an environment's rollout in a separate namespace of the lab, with short intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from slipway import names
from slipway.compile import CompiledModel, compile_model, compile_shared
from slipway.compile.canary import rollout_steps
from slipway.lab.manifests import model_reader
from slipway.models.spec import ModelSpec, Replicas
from slipway.objects import Object
from slipway.rehearse.sides import Sides
from slipway.rollout.canary import MIN_INTERVAL
from slipway.rollout.plan import ModelPlan
from slipway.settings.environment import Environment

#: Label of a rehearsal's namespace: the rehearsed model.
REHEARSAL = f"{names.PREFIX}rehearsal"
#: Subdomain that separates the hosts of rehearsed models from those of the lab's models.
SUBDOMAIN = "rehearsal"
NAMESPACE = ("v1", "Namespace")
#: Requests a second: enough for a step of ten seconds, and no more than two cores answer beside the rest of the lab.
SLOWEST, FASTEST = 10.0, 40.0
#: Checks within which the first step should have its requests.
SOON = 3


@dataclass(frozen=True)
class Stage:
    """Settings and objects of a rehearsal."""

    namespace: str
    #: The lab's settings with the rehearsed environment's rollout.
    environment: Environment
    #: The model as it is rehearsed.
    spec: ModelSpec
    #: Objects to apply first, in order; the target is on the stable version.
    before: tuple[Object, ...]
    #: The target on the candidate, which starts the rollout.
    target: Object
    #: The model's objects, with the target on the stable version.
    compiled: CompiledModel


def stage(
    namespace: str,
    spec: ModelSpec,
    sides: Sides,
    lab: Environment,
    rehearsed: Environment,
    *,
    keys: tuple[str, str],
    labelled: bool,
) -> Stage:
    """Compile a rehearsal.

    Args:
        namespace: Its separate namespace.
        spec: The model.
        sides: Both versions.
        lab: Settings of the lab's stack.
        rehearsed: The environment whose rollout is rehearsed.
        keys: Access and secret key of the lab's object store.
        labelled: Whether the requests have labels; without labels, objectives about them are dropped.
    """
    environment, spec = on_stage(namespace, lab, rehearsed), fast(spec, rehearsed, labelled=labelled)
    stable = ModelPlan(sides.stable, sides.candidate, sides.stable, live=sides.stable)
    compiled = compile_model(spec, stable, environment)
    moved = compile_model(
        spec, ModelPlan(sides.stable, sides.candidate, sides.candidate, live=sides.stable), environment
    )
    account = [{**each, "metadata": {**each["metadata"], "namespace": namespace}} for each in model_reader(*keys)]
    own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {REHEARSAL: spec.name}}}
    trio = (compiled.target, compiled.primary, compiled.canary_service)
    return Stage(
        namespace=namespace,
        environment=environment,
        spec=spec,
        before=(own, *account, *compile_shared(environment), *compiled.inference_services, *trio, compiled.canary),
        target=moved.target,
        compiled=compiled,
    )


def on_stage(namespace: str, lab: Environment, rehearsed: Environment) -> Environment:
    """Return the lab's settings with the rollout of another environment at Flagger's shortest interval."""
    suffix = f"{SUBDOMAIN}.{lab.gateway.host_suffix}"
    return lab.model_copy(
        update={
            "name": f"{rehearsed.name}, rehearsed in the lab",
            "namespace": namespace,
            "gateway": lab.gateway.model_copy(update={"host_suffix": suffix}),
            # Without a judge in the environment, plain thresholds are rehearsed.
            "judge_url": lab.judge_url if rehearsed.judge_url else None,
            "rollout": rehearsed.rollout.model_copy(update={"interval_seconds": MIN_INTERVAL}),
            "protect": False,
        }
    )


def fast(spec: ModelSpec, rehearsed: Environment, *, labelled: bool) -> ModelSpec:
    """Return a model with one replica, whose pauses last as many checks as in the environment."""
    interval = rehearsed.rollout.interval_seconds
    pauses = {weight: math.ceil(seconds / interval) * MIN_INTERVAL for weight, seconds in spec.rollout.pauses.items()}
    rollout = {"pauses": pauses, **({} if labelled else {"min_labels": 0})}
    objectives = {} if labelled else {"correct_percent": None, "within": None}
    return spec.model_copy(
        update={
            "serving": spec.serving.model_copy(update={"replicas": Replicas()}),
            "objectives": spec.objectives.model_copy(update=objectives),
            "rollout": spec.rollout.model_copy(update=rollout),
        }
    )


def rate(spec: ModelSpec, environment: Environment) -> float:
    """Return the requests per second of the lab: the model's own, or as many as a small first step needs."""
    share = rollout_steps(spec, environment)[0] / 100
    needed = spec.rollout.min_requests_per_step / (share * SOON * MIN_INTERVAL)
    return min(FASTEST, max(SLOWEST, spec.rollout.requests_per_second, math.ceil(needed)))


def not_rehearsed(spec: ModelSpec, *, labelled: bool, generated: bool) -> Sequence[str]:
    """Return what the lab cannot show, one line each."""
    found = []
    if spec.objectives.correct_percent is not None and not labelled:
        found.append("whether its answers are right: no request has a label; record labelled ones and use --requests")
    if generated:
        found.append("real requests: these were made from the model's input example")
    return found
