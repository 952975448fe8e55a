"""The Canary of one model."""

from __future__ import annotations

from typing import Literal

from slipway import names
from slipway.compile import metrics
from slipway.compile.flagger import (
    Analysis,
    Canary,
    CanaryService,
    CanarySpec,
    GatewayRef,
    MetricCheck,
    TargetRef,
    Webhook,
)
from slipway.compile.objects import Metadata, Object
from slipway.environment import Environment
from slipway.judge.policy import Policy
from slipway.model_spec import ModelSpec

#: The port of the three Services.
SERVICE_PORT = 80

Hook = Literal["confirm-rollout", "confirm-traffic-increase", "confirm-promotion", "rollback", "event"]
_HOOKS: tuple[Hook, ...] = ("confirm-rollout", "confirm-traffic-increase", "confirm-promotion", "rollback", "event")


def compile_canary(spec: ModelSpec, environment: Environment) -> Object:
    """Say how new versions of a model get their traffic, and what they are held to."""
    immediate = environment.rollout.strategy == "immediate"
    interval, judge = f"{environment.rollout.interval_seconds}s", environment.judge_url
    checks: tuple[MetricCheck, ...] = ()
    webhooks = None
    if immediate:
        pass
    elif judge is None:
        checks = tuple(metrics.checks(spec, interval))
    else:
        policy = policy_of(spec).text()
        checks, webhooks = (metrics.evidence(policy, interval),), _webhooks(judge, policy)
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
            analysis=Analysis(
                interval=interval,
                threshold=environment.rollout.threshold,
                step_weights=rollout_steps(spec, environment),
                metrics=checks,
                webhooks=webhooks,
            ),
            skip_analysis=True if immediate else None,
        ),
    ).manifest()


def rollout_steps(spec: ModelSpec, environment: Environment) -> tuple[int, ...]:
    """Return the percentages that a rollout goes through."""
    if environment.rollout.strategy == "immediate":
        return (100,)
    return spec.rollout.steps or environment.rollout.steps


def policy_of(spec: ModelSpec) -> Policy:
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
    )


def _webhooks(judge: str, policy: str) -> tuple[Webhook, ...]:
    """Ask the judge at every point where Flagger asks anybody; the types are named after its paths."""
    return tuple(Webhook(name=hook, type=hook, url=f"{judge}/{hook}", metadata={"policy": policy}) for hook in _HOOKS)
