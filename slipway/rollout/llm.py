"""The rollout of an LLM: weights in a group of LLMInferenceServices, which only Slipway writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from slipway import names
from slipway.models.llm import API_VERSION, KIND
from slipway.objects import Object
from slipway.rollout.observed import ObservedModel, ObservedService, observed_service
from slipway.rollout.plan import ModelPlan

LLM = (API_VERSION, KIND)
#: Weights are proportions; those of a group add up to this.
ALL = 100


@dataclass(frozen=True)
class Member:
    """One release in a group, by its LLMInferenceService."""

    name: str
    weight: int
    #: RFC 3339, so that texts sort by time.
    created: str
    service: ObservedService


def members(objects: Iterable[Object]) -> dict[str, list[Member]]:
    """List the members of each model's group, the oldest first."""
    found: dict[str, list[Member]] = {}
    for each in objects:
        metadata = each["metadata"]
        model = (metadata.get("labels") or {}).get(names.MODEL)
        route = each["spec"].get("router", {}).get("route", {})
        if model and route.get("group") == model:
            created = metadata.get("creationTimestamp", "")
            member = Member(metadata["name"], route.get("weight", 0), created, observed_service(each))
            found.setdefault(model, []).append(member)
    return {model: sorted(group, key=lambda one: (one.created, one.name)) for model, group in found.items()}


def observe_all(objects: Iterable[Object]) -> dict[str, ObservedModel]:
    """Read the state of every LLM from its LLMInferenceServices."""
    return {model: observe(group) for model, group in members(objects).items()}


def observe(group: list[Member]) -> ObservedModel:
    """Read the state of a group: the live member has all the traffic; until one has, it is the oldest with traffic."""
    whole = [member for member in group if member.weight >= ALL]
    live = (whole or [member for member in group if member.weight] or group)[0]
    tried = next((member for member in group if member is not live and member.weight), live)
    return ObservedModel(
        live_version=live.service.version,
        target_version=tried.service.version,
        phase="Succeeded" if tried is live else "Progressing",
        services={member.name: member.service for member in group},
        weight=0 if tried is live else tried.weight,
    )


def next_weight(now: int, steps: tuple[int, ...]) -> int:
    """Return the weight that follows a weight; the last step is all of the traffic."""
    return next((step for step in steps if step > now), ALL)


def notices(model: str, plan: ModelPlan) -> tuple[str, ...]:
    """Return the notice that a candidate runs without traffic, with the command that gives it some."""
    if plan.candidate is None or plan.live is None or plan.candidate is plan.live or plan.weight:
        return ()
    return (f"{model}: {plan.candidate.id} runs without traffic; `slipway rollout step {model}` gives it the first",)
