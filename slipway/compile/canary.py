"""The Canary of one model."""

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

#: Where Flagger asks the judge; each is a path of it too.
Hook = Literal["confirm-rollout", "confirm-traffic-increase", "confirm-promotion", "rollback", "event"]
#: Flagger asks for more traffic between weights only. Nothing stands in the way of an immediate rollout: it is told.
_HOOKS: dict[Strategy, tuple[Hook, ...]] = {
    "canary": ("confirm-rollout", "confirm-traffic-increase", "confirm-promotion", "rollback", "event"),
    "blue-green": ("confirm-rollout", "confirm-promotion", "rollback", "event"),
    "ab": ("confirm-rollout", "confirm-promotion", "rollback", "event"),
    "shadow": ("confirm-rollout", "confirm-promotion", "rollback", "event"),
    "immediate": ("event",),
}

#: Checks before Flagger asks whether it may go on. The judge holds until it has seen enough, so one does.
ITERATIONS = 1


def compile_canary(spec: ModelSpec, environment: Environment) -> Object:
    """Say how new versions of a model get their traffic, and what they are held to."""
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
    """Return how a rollout goes here: the model's own way, but for an environment that tries nothing out."""
    return "immediate" if environment.rollout.strategy == "immediate" else spec.rollout.strategy


def rollout_steps(spec: ModelSpec, environment: Environment) -> tuple[int, ...]:
    """Return the percentages that a rollout goes through."""
    if strategy_of(spec, environment) == "canary":
        return spec.rollout.steps or environment.rollout.steps
    return (100,)


def policy_of(spec: ModelSpec, environment: Environment) -> Policy:
    """Say what the judge holds a candidate of the model to."""
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
        # By Traefik requests are copied without Flagger (traefik.py): its own filter would break the route.
        mirror=True if strategy == "shadow" and mirrors == "gateway-api" else None,
        metrics=checks,
        webhooks=webhooks,
    )


def _match(audience: Audience) -> RequestMatch:
    """Select an audience's requests: names of headers are written in lower case, as in HTTP/2."""
    if audience.header is not None:
        return RequestMatch(headers={audience.header.lower(): Exact(exact=audience.value)})
    # All cookies of a request stand in one header.
    cookie = re.escape(f"{audience.cookie}={audience.value}")
    return RequestMatch(headers={"cookie": Regex(regex=f"(^|.*; *){cookie}(;.*)?$")})


def _webhooks(judge: str, policy: str, hooks: tuple[Hook, ...]) -> tuple[Webhook, ...]:
    return tuple(Webhook(name=hook, type=hook, url=f"{judge}/{hook}", metadata={"policy": policy}) for hook in hooks)
