"""Why a plan is impossible, said before anything is changed."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from slipway import names
from slipway.compile.canary import rollout_steps
from slipway.compile.metrics import LARGEST_LATENCY_MS
from slipway.compile.model import MODEL_NAME_VARIABLE, MODEL_VERSION_VARIABLE
from slipway.environment import Environment
from slipway.errors import at
from slipway.model_spec import ModelSpec
from slipway.release import Release
from slipway.rollout import ModelPlan

#: Environment variables that decide where the server finds its model, how it is called or where it listens. KServe
#: and its runtime set them; PYTHONPATH is refused by KServe's webhook (pkg/validation/env_policy.go).
RESERVED_ENV = frozenset(
    {
        MODEL_NAME_VARIABLE,
        MODEL_VERSION_VARIABLE,
        "MLSERVER_MODEL_URI",
        "MLSERVER_MODEL_IMPLEMENTATION",
        "MLSERVER_HTTP_PORT",
        "MLSERVER_GRPC_PORT",
        "MLSERVER_METRICS_PORT",
        "MLSERVER_METRICS_ENDPOINT",
        "MLSERVER_METRICS_REST_SERVER_PREFIX",
        "STORAGE_URI",
        "PYTHONPATH",
    }
)
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*")
#: A whole domain name has at most 253 characters; this leaves room for `<model>.`.
_LONGEST_DOMAIN = 253 - 64
#: Gateway API takes five digits of a unit (apis/v1/shared_types.go, Duration).
_LONGEST_TIMEOUT = 99_999
_S3 = re.compile(r"s3://[^/]+/.+")


def refusals(specs: Mapping[str, ModelSpec], plans: Mapping[str, ModelPlan], environment: Environment) -> list[str]:
    """List what is impossible, one line each: file, field, reason, remedy.

    Args:
        specs: Every model of the environment, by name; names clash across models.
        plans: What is planned, by name; a model without a plan is checked for what its spec says.
        environment: Where it would happen.
    """
    found = [*_environment(environment)]
    for name, spec in specs.items():
        found += _name(spec, plans.get(name), specs)
        for check in _SPEC_CHECKS:
            found += check(spec, environment)
        if name in plans:
            for check_plan in _PLAN_CHECKS:
                found += check_plan(spec, plans[name], environment)
    return found


def failed_gates(spec: ModelSpec, release: Release) -> Iterator[str]:
    """Say which recorded metrics keep a version from being released."""
    for gate in spec.gates:
        value = release.metrics.get(gate.metric)
        if value is None:
            yield f"{gate.metric} is not recorded, expected {gate.bound}"
        elif not gate.holds(value):
            yield f"{gate.metric} is {value:g}, expected {gate.bound}"


def _in(spec: ModelSpec, field: str) -> str:
    return at(f"models/{spec.name}.yaml", None, field)


def _settings(environment: Environment, field: str) -> str:
    return at(f"Pulumi.{environment.name}.yaml", None, f"slipway:{field}")


def _environment(environment: Environment) -> Iterator[str]:
    suffix = environment.gateway.host_suffix
    if not _domain(suffix):
        yield (
            f"{_settings(environment, 'gateway.host_suffix')}{suffix!r}: expected a lower-case domain, as"
            " 'models.example.com'; without one the route would catch every host of the Gateway"
        )
    for field, name in (
        ("namespace", environment.namespace),
        ("gateway.namespace", environment.gateway.namespace),
        ("gateway.name", environment.gateway.name),
        ("service_account", environment.service_account),
        ("runtime", environment.runtime),
    ):
        if not _domain(name) or (field.endswith("namespace") and "." in name):
            yield f"{_settings(environment, field)}{name!r}: expected the name of a Kubernetes object, as 'models'"
    yield from _increasing(environment.rollout.steps, _settings(environment, "rollout.steps"))


def _domain(name: str) -> bool:
    return len(name) <= _LONGEST_DOMAIN and _DOMAIN.fullmatch(name) is not None


def _increasing(steps: tuple[int, ...], where: str) -> Iterator[str]:
    if any(before >= after for before, after in itertools.pairwise(steps)):
        got, fixed = _list(steps), _list(sorted(set(steps)))
        yield f"{where}{got}: expected percentages that strictly increase; write {fixed}"


def _list(steps: Iterable[int]) -> str:
    return ", ".join(map(str, steps))


def _name(spec: ModelSpec, plan: ModelPlan | None, specs: Mapping[str, ModelSpec]) -> Iterator[str]:
    highest = max((release.version for release in plan.declared), default=1) if plan else 1
    service = names.inference_service(spec.name, highest)
    if (excess := len(service) - names.MAX_INFERENCE_SERVICE) > 0:
        yield (
            f"{_in(spec, 'name')}InferenceService {service} has {len(service)} characters, the labels that KServe"
            f" derives take {names.MAX_INFERENCE_SERVICE}; shorten the name by {excess}"
        )
    other = names.base_of(spec.name)
    if other in specs:
        yield (
            f"{_in(spec, 'name')}clashes with models/{other}.yaml: {spec.name} is also the name of an object of model"
            f" {other}, at some version; rename one of them"
        )


def _steps(spec: ModelSpec, environment: Environment) -> Iterator[str]:
    if spec.rollout.steps is not None:
        yield from _increasing(spec.rollout.steps, _in(spec, "rollout.steps"))
    if environment.rollout.strategy == "immediate":
        return
    steps, rollout, interval = rollout_steps(spec, environment), spec.rollout, environment.rollout.interval_seconds
    where = _in(spec, "rollout.steps")
    if rollout.steps is None:
        where += f"(from {_settings(environment, 'rollout.steps')[:-2]}) "
    arriving = rollout.requests_per_second * interval
    if arriving * steps[0] / 100 < rollout.min_requests_per_step:
        enough = math.ceil(100 * rollout.min_requests_per_step / arriving)
        longer = math.ceil(100 * rollout.min_requests_per_step / steps[0] / rollout.requests_per_second)
        start = f"start at {enough} or set" if enough <= 100 else "set"
        yield (
            f"{where}the first step, {steps[0]}% of rollout.requests_per_second {rollout.requests_per_second:g}, brings"
            f" {arriving * steps[0] / 100:.3g} requests in {interval} s, expected rollout.min_requests_per_step"
            f" {rollout.min_requests_per_step}; {start} {_settings(environment, 'rollout.interval_seconds')[:-2]} to"
            f" {longer} or more"
        )
    replicas = spec.serving.replicas
    if replicas.max > replicas.min and steps[-1] != 100:
        yield (
            f"{where}the last step is {steps[-1]}, expected 100, because serving.replicas lets the model scale: it"
            f" would be promoted at the size that {steps[-1]}% of the traffic needs; add 100"
        )


def _objectives(spec: ModelSpec, environment: Environment) -> Iterator[str]:
    objectives = spec.objectives
    for field, bound in (
        ("latency_p95_ms", objectives.latency_p95_ms),
        ("latency_p99_ms", objectives.latency_p99_ms),
    ):
        if bound is not None and bound.at_most >= LARGEST_LATENCY_MS:
            yield (
                f"{_in(spec, f'objectives.{field}')}{bound} can never fail: MLServer's histogram ends at"
                f" {LARGEST_LATENCY_MS:g} ms; set less than that"
            )


def _serving(spec: ModelSpec, environment: Environment) -> Iterator[str]:
    if (timeout := spec.serving.timeout_seconds) > _LONGEST_TIMEOUT:
        yield f"{_in(spec, 'serving.timeout_seconds')}{timeout}: expected at most {_LONGEST_TIMEOUT}; set less"
    for name in spec.serving.env:
        if name in RESERVED_ENV:
            yield f"{_in(spec, f'serving.env.{name}')}set by the platform, so that routes and metrics fit; remove it"


def _origin(spec: ModelSpec, plan: ModelPlan, environment: Environment) -> Iterator[str]:
    for release in plan.declared:
        if not _S3.fullmatch(release.artifact.uri):
            where = at(f"release {spec.name}/{release.id}", None, "artifact.uri")
            yield (
                f"{where}{release.artifact.uri}: expected s3://<bucket>/<path>: a server loads no other; log the model"
                " to an S3 artifact store"
            )
        if environment.protect and not release.dataset.digest.startswith("sha256:"):
            where = at(f"release {spec.name}/{release.id}", None, "dataset.digest")
            yield (
                f"{where}{release.dataset.digest} covers a part of the rows only, and {environment.name} is protected;"
                " record a sha256 of the dataset in training and register a new version"
            )


def _gates(spec: ModelSpec, plan: ModelPlan, environment: Environment) -> Iterator[str]:
    for release in plan.declared:
        # What users are served by already is not judged again: a stricter gate counts from the next version on.
        if release is not plan.live:
            for reason in failed_gates(spec, release):
                yield f"{_in(spec, 'gates')}release {release.id}: {reason}; register a better version"


def _running(spec: ModelSpec, plan: ModelPlan, environment: Environment) -> Iterator[str]:
    steps = rollout_steps(spec, environment)
    if 0 < plan.weight < 100 and plan.weight not in steps:
        yield (
            f"{_in(spec, 'rollout.steps')}{_list(steps)}: a rollout is at {plan.weight}%, and Flagger"
            " would go on from an unknown step straight to 100; keep that step until the rollout has settled"
        )


_SPEC_CHECKS: tuple[Callable[[ModelSpec, Environment], Iterator[str]], ...] = (_steps, _objectives, _serving)
_PLAN_CHECKS: tuple[Callable[[ModelSpec, ModelPlan, Environment], Iterator[str]], ...] = (_origin, _gates, _running)
