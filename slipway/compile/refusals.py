"""Checks of a plan, before anything is changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from slipway import names
from slipway.compile.llm import llm_refusals
from slipway.compile.quota import over_quota
from slipway.compile.rollout_checks import ROLLOUT_CHECKS, field_of, increasing, rising_steps, running, setting
from slipway.errors import at
from slipway.models.gates import failed_gates
from slipway.models.servers import ADDRESS, ADDRESS_FORM, KSERVE_ENV, SERVERS
from slipway.models.spec import ModelSpec
from slipway.rollout.plan import ModelPlan
from slipway.settings.environment import Environment

#: Environment variables that KServe and its runtimes set, so no model may.
RESERVED_ENV = KSERVE_ENV.union(*(server.reserved for server in SERVERS))
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*")
#: A whole domain name has at most 253 characters; this leaves room for `<model>.`.
_LONGEST_DOMAIN = 253 - 64
#: Gateway API takes five digits of a unit (apis/v1/shared_types.go, Duration).
_LONGEST_TIMEOUT = 99_999
_ADDRESS = re.compile(ADDRESS)


def refusals(specs: Mapping[str, ModelSpec], plans: Mapping[str, ModelPlan], environment: Environment) -> list[str]:
    """List what is impossible, one line each: file, field, reason, remedy.

    Args:
        specs: Every model of the environment, by name; names clash across models.
        plans: By model name; of a model without a plan only the spec is checked.
    """
    found = [*_environment(environment)]
    for name, spec in specs.items():
        found += _name(spec, plans.get(name), specs)
        for check in _LLM_CHECKS if spec.llm else _SPEC_CHECKS:
            found += check(spec, environment)
        if name in plans:
            for check_plan in _LLM_PLAN_CHECKS if spec.llm else _PLAN_CHECKS:
                found += check_plan(spec, plans[name], environment)
    return [*found, *over_quota(specs, plans, environment)]


def _environment(environment: Environment) -> Iterator[str]:
    suffix = environment.gateway.host_suffix
    if not _domain(suffix):
        yield (
            f"{setting(environment, 'gateway.host_suffix')}{suffix!r}: expected a lower-case domain, as"
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
            yield f"{setting(environment, field)}{name!r}: expected the name of a Kubernetes object, as 'models'"
    yield from increasing(environment.rollout.steps, setting(environment, "rollout.steps"))


def _domain(name: str) -> bool:
    return len(name) <= _LONGEST_DOMAIN and _DOMAIN.fullmatch(name) is not None


def _name(spec: ModelSpec, plan: ModelPlan | None, specs: Mapping[str, ModelSpec]) -> Iterator[str]:
    highest = max((release.version for release in plan.declared), default=1) if plan else 1
    service = names.inference_service(spec.name, highest)
    if (excess := len(service) - names.MAX_INFERENCE_SERVICE) > 0:
        yield (
            f"{field_of(spec, 'name')}InferenceService {service} has {len(service)} characters, the labels that KServe"
            f" derives take {names.MAX_INFERENCE_SERVICE}; shorten the name by {excess}"
        )
    other = names.base_of(spec.name)
    if other in specs:
        yield (
            f"{field_of(spec, 'name')}clashes with models/{other}.yaml: {spec.name} is also the name of an object of"
            f" model {other}, at some version; rename one of them"
        )


def _objectives(spec: ModelSpec, environment: Environment) -> Iterator[str]:
    objectives, largest = spec.objectives, spec.server.largest_latency_ms
    for field, bound in (("latency_p95_ms", objectives.latency_p95_ms), ("latency_p99_ms", objectives.latency_p99_ms)):
        if bound is not None and bound.at_most >= largest:
            yield (
                f"{field_of(spec, f'objectives.{field}')}{bound} can never fail: its server's histogram ends at"
                f" {largest:g} ms; set less than that"
            )


def _serving(spec: ModelSpec, environment: Environment) -> Iterator[str]:
    if (timeout := spec.serving.timeout_seconds) > _LONGEST_TIMEOUT:
        yield f"{field_of(spec, 'serving.timeout_seconds')}{timeout}: expected at most {_LONGEST_TIMEOUT}; set less"
    for name in spec.serving.env:
        if name in RESERVED_ENV:
            where = field_of(spec, f"serving.env.{name}")
            yield f"{where}set by the platform, so that routes and metrics fit; remove it"


def _scaling(spec: ModelSpec, environment: Environment) -> Iterator[str]:
    cost, scaling = environment.platform.cost, spec.serving.scaling
    if scaling and scaling.metric == "requests" and not (cost and cost.keda):
        yield (
            f"{field_of(spec, 'serving.scaling.metric')}requests needs KEDA in the cluster, and"
            f" {setting(environment, 'platform.cost.keda')}says that there is none; scale by 'cpu', or install it"
        )


def _origin(spec: ModelSpec, plan: ModelPlan, environment: Environment) -> Iterator[str]:
    for release in plan.declared:
        if not _ADDRESS.fullmatch(release.artifact.uri):
            where = at(f"release {spec.name}/{release.id}", None, "artifact.uri")
            yield (
                f"{where}{release.artifact.uri}: expected {ADDRESS_FORM}: a server loads no other; log the model"
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
        # The live release is not checked again: a stricter gate applies from the next version on.
        if release is not plan.live:
            for _, reason in failed_gates(spec, release):
                yield f"{field_of(spec, 'gates')}release {release.id}: {reason}; register a better version"


_SPEC_CHECKS: tuple[Callable[[ModelSpec, Environment], Iterator[str]], ...] = (
    *ROLLOUT_CHECKS,
    _objectives,
    _serving,
    _scaling,
)
_PLAN_CHECKS: tuple[Callable[[ModelSpec, ModelPlan, Environment], Iterator[str]], ...] = (_origin, _gates, running)
#: An LLM uses neither MLServer nor Flagger.
_LLM_CHECKS = (rising_steps, _serving, llm_refusals)
_LLM_PLAN_CHECKS = (_origin, _gates)
