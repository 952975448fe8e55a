"""Compiler of a model's Canary."""

from __future__ import annotations

import re
from typing import Literal

from slipway import names
from slipway.compile import metrics
from slipway.compile.flagger import (
    Canary,
    CanaryService,
    CanarySpec,
    Exact,
    GatewayRef,
    Iterations,
    MetricCheck,
    Regex,
    RequestMatch,
    Steps,
    TargetRef,
    Webhook,
)
from slipway.compile.objects import Metadata
from slipway.models.spec import Audience, ModelSpec, Strategy
from slipway.objects import Object
from slipway.rollout.policy import Policy
from slipway.settings.environment import Environment

#: The port of the three Services.
SERVICE_PORT = 80

#: Flagger's hooks that the judge answers; each is also a path of the judge.
Hook = Literal["confirm-rollout", "confirm-traffic-increase", "confirm-promotion", "rollback", "event"]
#: Flagger asks for more traffic between weights only. An immediate rollout is never held: its events are recorded.
_HOOKS: dict[Strategy, tuple[Hook, ...]] = {
    "canary": ("confirm-rollout", "confirm-traffic-increase", "confirm-promotion", "rollback", "event"),
    "blue-green": ("confirm-rollout", "confirm-promotion", "rollback", "event"),
    "ab": ("confirm-rollout", "confirm-promotion", "rollback", "event"),
    "shadow": ("confirm-rollout", "confirm-promotion", "rollback", "event"),
    "immediate": ("event",),
}

#: Checks before Flagger asks whether it may go on. One is enough: the judge holds until it has enough requests.
ITERATIONS = 1


def compile_canary(spec: ModelSpec, environment: Environment) -> Object:
    """Compile how new versions of a model get their traffic, and the checks that they must pass."""
    return Canary(
        metadata=Metadata(name=spec.name, namespace=environment.namespace, labels={names.MODEL: spec.name}),
        spec=CanarySpec(
            target_ref=TargetRef(name=spec.name),
            service=CanaryService(
                port=SERVICE_PORT,
                hosts=(names.host(spec.name, environment.gateway.host_suffix),),
                gateway_refs=(GatewayRef(name=environment.gateway.name, namespace=environment.gateway.namespace),),
                timeout=f"{spec.serving.timeout_seconds}s",
            ),
            analysis=_analysis(spec, environment),
            skip_analysis=True if strategy_of(spec, environment) == "immediate" else None,
        ),
    ).manifest()


def strategy_of(spec: ModelSpec, environment: Environment) -> Strategy:
    """Return the strategy of a rollout: the model's own, except in an environment that rolls out immediately."""
    return "immediate" if environment.rollout.strategy == "immediate" else spec.rollout.strategy


def rollout_steps(spec: ModelSpec, environment: Environment) -> tuple[int, ...]:
    """Return the steps of a rollout in percent of the traffic."""
    if strategy_of(spec, environment) == "canary":
        return spec.rollout.steps or environment.rollout.steps
    return (100,)


def policy_of(spec: ModelSpec, environment: Environment) -> Policy:
    """Return the policy that the judge applies to a candidate of the model."""
    objectives, rollout = spec.objectives, spec.rollout
    return Policy(
        success_rate_percent=objectives.success_rate_percent.at_least,
        latency_p95_ms=objectives.latency_p95_ms.at_most,
        latency_p99_ms=objectives.latency_p99_ms.at_most if objectives.latency_p99_ms else None,
        correct_percent=objectives.correct_percent.at_least if objectives.correct_percent else None,
        min_requests=rollout.min_requests_per_step,
        min_labels=rollout.min_labels,
        pauses={str(weight): seconds for weight, seconds in rollout.pauses.items()},
        shadow=strategy_of(spec, environment) == "shadow",
    )


def _analysis(spec: ModelSpec, environment: Environment) -> Steps | Iterations:
    strategy, interval = strategy_of(spec, environment), f"{environment.rollout.interval_seconds}s"
    threshold, judge = environment.rollout.threshold, environment.judge_url
    policy, mirrors = policy_of(spec, environment).text(), environment.gateway.mirrors
    checks: tuple[MetricCheck, ...] = ()
    if strategy != "immediate":
        checks = tuple(metrics.checks(spec, interval)) if judge is None else (metrics.evidence(policy, interval),)
    webhooks = None if judge is None else _webhooks(judge, policy, _HOOKS[strategy])
    if strategy in ("canary", "immediate"):
        return Steps(
            interval=interval,
            threshold=threshold,
            step_weights=rollout_steps(spec, environment),
            metrics=checks,
            webhooks=webhooks,
        )
    return Iterations(
        interval=interval,
        threshold=threshold,
        iterations=ITERATIONS,
        match=(_match(spec.rollout.audience),) if spec.rollout.audience else None,
        # Traefik copies requests without Flagger (traefik.py): Flagger's filter would break the route.
        mirror=True if strategy == "shadow" and mirrors == "gateway-api" else None,
        metrics=checks,
        webhooks=webhooks,
    )


def _match(audience: Audience) -> RequestMatch:
    """Select an audience's requests; names of headers are in lower case, as in HTTP/2."""
    if audience.header is not None:
        return RequestMatch(headers={audience.header.lower(): Exact(exact=audience.value)})
    # All cookies of a request stand in one header.
    cookie = re.escape(f"{audience.cookie}={audience.value}")
    return RequestMatch(headers={"cookie": Regex(regex=f"(^|.*; *){cookie}(;.*)?$")})


def _webhooks(judge: str, policy: str, hooks: tuple[Hook, ...]) -> tuple[Webhook, ...]:
    return tuple(Webhook(name=hook, type=hook, url=f"{judge}/{hook}", metadata={"policy": policy}) for hook in hooks)
