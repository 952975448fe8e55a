"""What a rehearsal puts into the lab: an environment's own rollout, in a namespace of its own, on a faster clock."""

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

#: On a rehearsal's namespace: the model that is rehearsed in it.
REHEARSAL = f"{names.PREFIX}rehearsal"
#: Where the host of a rehearsed model differs from that of the lab's own.
SUBDOMAIN = "rehearsal"
NAMESPACE = ("v1", "Namespace")
#: Requests a second: enough for a step of ten seconds to show something, no more than what two cores answer beside
#: everything else that the lab runs.
SLOWEST, FASTEST = 10.0, 40.0
#: Looks after which the first step should have its requests.
SOON = 3


@dataclass(frozen=True)
class Stage:
    """All that is applied.

    Args:
        namespace: The rehearsal's own.
        environment: The lab's cluster with the rehearsed environment's rollout.
        spec: The model as it is rehearsed.
        before: Objects to apply first, in order; with them users have the stable version.
        target: Applied last: it starts the rollout.
        compiled: The model's objects, the target still on the stable version.
    """

    namespace: str
    environment: Environment
    spec: ModelSpec
    before: tuple[Object, ...]
    target: Object
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
        namespace: Its namespace, which nobody else uses.
        spec: The model.
        sides: Both versions.
        lab: Settings of the lab's own stack.
        rehearsed: The environment whose rollout is rehearsed.
        keys: Access and secret key of the lab's object store.
        labelled: Whether the requests have labels; without any, nothing can be asked of them.
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
    """Return the lab's settings with the rollout of another environment, as fast as Flagger can."""
    suffix = f"{SUBDOMAIN}.{lab.gateway.host_suffix}"
    return lab.model_copy(
        update={
            "name": f"{rehearsed.name}, rehearsed in the lab",
            "namespace": namespace,
            "gateway": lab.gateway.model_copy(update={"host_suffix": suffix}),
            # The plain thresholds are rehearsed where the environment has no judge.
            "judge_url": lab.judge_url if rehearsed.judge_url else None,
            "rollout": rehearsed.rollout.model_copy(update={"interval_seconds": MIN_INTERVAL}),
            "protect": False,
        }
    )


def fast(spec: ModelSpec, rehearsed: Environment, *, labelled: bool) -> ModelSpec:
    """Return a model with one replica, whose pauses last as many looks as they do in the environment."""
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
    """Say how many requests a second the lab sends: the model's own, or what a small first step needs to go on soon."""
    share = rollout_steps(spec, environment)[0] / 100
    needed = spec.rollout.min_requests_per_step / (share * SOON * MIN_INTERVAL)
    return min(FASTEST, max(SLOWEST, spec.rollout.requests_per_second, math.ceil(needed)))


def not_rehearsed(spec: ModelSpec, *, labelled: bool, generated: bool) -> Sequence[str]:
    """Say what the lab cannot show, one line each."""
    found = []
    if spec.objectives.correct_percent is not None and not labelled:
        found.append("whether its answers are right: no request has a label; record some and use --requests")
    if generated:
        found.append("real requests: these were made from the model's input example")
    return found
