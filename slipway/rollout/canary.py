"""Policy, pace, strategy, weights and abort of a rollout, read from its Canary and its HTTPRoute."""

from __future__ import annotations

from slipway import names, times
from slipway.objects import Object
from slipway.rollout.policy import Policy

#: `"<candidate's InferenceService>: <reason>"`: an operator's request to take a candidate back.
ABORT = f"{names.PREFIX}abort"
#: The template variable, and the key of a webhook's metadata, that holds the policy.
POLICY = "policy"
#: Flagger raises a shorter interval to that (pkg/apis/flagger/v1beta1/canary.go), in seconds.
MIN_INTERVAL = 10


def analysis_of(canary: Object) -> Object:
    """Return the analysis of a Canary; empty where it has none."""
    return (canary.get("spec") or {}).get("analysis") or {}


def interval_of(canary: Object) -> float:
    """Return the seconds between two checks of Flagger."""
    return max(MIN_INTERVAL, times.seconds(analysis_of(canary).get("interval") or "60s"))


def policy_text(canary: Object) -> str:
    """Return the policy that a Canary carries as text; empty without a judge."""
    analysis = analysis_of(canary)
    carried = [metric.get("templateVariables") or {} for metric in analysis.get("metrics") or ()]
    carried += [webhook.get("metadata") or {} for webhook in analysis.get("webhooks") or ()]
    return next((str(values[POLICY]) for values in carried if values.get(POLICY)), "")


def policy_of(canary: Object) -> Policy | None:
    """Return the policy that a Canary carries; None without a judge. Raises SlipwayError where it cannot be read."""
    text = policy_text(canary)
    return Policy.parse(text) if text else None


def strategy_of(canary: Object) -> str:
    """Return the name of a Canary's strategy."""
    analysis = analysis_of(canary)
    if (canary.get("spec") or {}).get("skipAnalysis"):
        return "immediate"
    if analysis.get("match"):
        return "ab"
    if (policy := policy_of(canary)) and policy.shadow:
        return "shadow"
    return "blue-green" if analysis.get("iterations") else "canary"


def is_initialized(canary: Object) -> bool:
    """Return whether Flagger has taken over the model's traffic."""
    return (canary.get("status") or {}).get("phase") not in (None, "", "Initializing")


def promoted(canary: Object) -> Object:
    """Return the condition Promoted of a Canary; empty before Flagger's first check."""
    conditions = (canary.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == "Promoted"), {})


def aborted(canary: Object, candidate: str) -> str:
    """Return the reason for which an operator aborted a candidate, by InferenceService; empty without an abort."""
    text = ((canary.get("metadata") or {}).get("annotations") or {}).get(ABORT, "")
    name, _, reason = text.partition(":")
    return (reason.strip() or "no reason given") if candidate and name.strip() == candidate else ""


def weights(model: str, route: Object | None, canary: Object) -> tuple[int, bool]:
    """Return the candidate's share of the traffic in percent and whether requests are mirrored, read as Flagger does.

    The Canary's own `canaryWeight` is 0 while Flagger waits for a promotion and the route gives the candidate
    everything. With session affinity only the rule with filters on its backends counts: the rules for clients with a
    cookie are all or nothing (pkg/router/gateway_api.go, GetRoutes).
    """
    weight, mirrored, affinity = 0, False, bool(analysis_of(canary).get("sessionAffinity"))
    for rule in ((route or {}).get("spec") or {}).get("rules") or ():
        backends = rule.get("backendRefs") or ()
        if len(backends) == 2 and (not affinity or any(backend.get("filters") for backend in backends)):
            for backend in backends:
                if backend.get("name") == names.canary(model):
                    weight = int(backend.get("weight", 1))
        mirrored = mirrored or any(
            filter_.get("requestMirror", {}).get("backendRef", {}).get("name") == names.canary(model)
            for filter_ in rule.get("filters") or ()
        )
    return weight, mirrored
