"""What the cluster shows of one rollout."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from slipway import names
from slipway.clients.kube import Kube
from slipway.errors import SlipwayError
from slipway.objects import Object
from slipway.rollout import plan
from slipway.rollout.cluster import CANARY, INFERENCE_SERVICE
from slipway.rollout.policy import Policy

#: `"<candidate's InferenceService>: <reason>"`: a person's word that a candidate must go.
ABORT = f"{names.PREFIX}abort"
#: The template variable, and the key of a webhook's metadata, that holds the policy.
POLICY = "policy"
ROUTE = ("gateway.networking.k8s.io/v1", "HTTPRoute")
#: Flagger raises a shorter interval to that (pkg/apis/flagger/v1beta1/canary.go).
MIN_INTERVAL = 10


@dataclass(frozen=True)
class Run:
    """One rollout of one model, or the state between two.

    Args:
        namespace: Of the model.
        model: Its name, which is also the Canary's.
        phase: Flagger's.
        candidate: InferenceService that is tried; None where the target selects what users have.
        candidate_version: Registry version of `candidate`.
        stable: InferenceService that users have.
        stable_version: Registry version of `stable`.
        started: Since when Flagger has been at it, seconds since the epoch; None between rollouts.
        since: Since when the weight has been what it is. A failed check moves it too, which is the careful side.
        weight: Percent of the traffic that the candidate has, as the route says.
        mirrored: Whether the route has requests of users copied to the candidate.
        interval: Seconds of one tick.
        ready: Whether the candidate's InferenceService is Ready.
        moved: Whether the target has another version than the one that gets the candidate's traffic.
        aborted: Why a person ended it; empty where nobody did.
        failed_checks: As Flagger counts them.
        threshold: How many of them end the rollout.
        steps: Weights that it goes through; empty where it counts iterations.
        switches: Whether to confirm the promotion now only switches users over: blue-green asks again before it stays.
    """

    namespace: str
    model: str
    phase: str
    candidate: str | None
    candidate_version: int | None
    stable: str | None
    stable_version: int | None
    started: float | None
    since: float
    weight: int
    mirrored: bool
    interval: float
    ready: bool
    moved: bool
    aborted: str
    failed_checks: int
    threshold: int
    steps: tuple[int, ...]
    switches: bool


def read(kube: Kube, namespace: str, model: str) -> tuple[Run, Object]:
    """Read a rollout with its Canary.

    Raises:
        KubeError: The API server cannot be reached, or there is no such Canary.
        SlipwayError: A Service of the model selects what is none of its versions.
    """
    canary = kube.get(*CANARY, model, namespace)
    objects = [{**canary, "kind": "Canary"}]
    for name in (model, names.primary(model), names.canary(model)):
        if service := kube.find("v1", "Service", name, namespace):
            objects.append({**service, "kind": "Service"})
    version = plan.observe(model, objects).target_version
    if version is not None:
        candidate = names.inference_service(model, version)
        if found := kube.find(*INFERENCE_SERVICE, candidate, namespace):
            objects.append({**found, "kind": "InferenceService"})
    return of(namespace, model, objects, kube.find(*ROUTE, model, namespace)), canary


def of(namespace: str, model: str, objects: list[Object], route: Object | None) -> Run:
    """Put a rollout together.

    Args:
        namespace: Of the model.
        model: Its name.
        objects: Canary, the three Services, the InferenceServices, with `kind`.
        route: What splits the traffic; None where Flagger has not made it yet.
    """
    seen = plan.observe(model, objects)
    by_name = {(found["kind"], found["metadata"]["name"]): found for found in objects}
    canary = by_name["Canary", model]
    status, analysis = canary.get("status") or {}, canary["spec"].get("analysis") or {}
    tried = (by_name.get(("Service", names.canary(model))) or {}).get("spec", {}).get("selector") or {}
    candidate = names.inference_service(model, seen.target_version) if seen.target_version else None
    if seen.target_version == seen.live_version:
        candidate = None
    service = seen.services.get(candidate or "")
    weight, mirrored = weights(model, route, bool(analysis.get("sessionAffinity")))
    return Run(
        namespace=namespace,
        model=model,
        phase=seen.phase or "",
        candidate=candidate,
        candidate_version=seen.target_version if candidate else None,
        stable=names.inference_service(model, seen.live_version) if seen.live_version else None,
        stable_version=seen.live_version,
        started=_started(status),
        since=epoch(status.get("lastTransitionTime")) or 0.0,
        weight=weight,
        mirrored=mirrored,
        interval=max(MIN_INTERVAL, seconds(analysis.get("interval") or "60s")),
        ready=bool(service and service.ready),
        moved=names.selected_version(model, tried) != seen.target_version,
        aborted=aborted(canary, candidate),
        failed_checks=int(status.get("failedChecks") or 0),
        threshold=int(analysis.get("threshold") or 0),
        steps=tuple(analysis.get("stepWeights") or ()),
        switches=not analysis.get("match")
        and int(status.get("iterations") or 0) <= int(analysis.get("iterations") or -1),
    )


def weights(model: str, route: Object | None, affinity: bool) -> tuple[int, bool]:
    """Read what the candidate gets of the traffic, in percent, with whether it is mirrored, as Flagger reads it.

    With session affinity only the rule that splits counts: Flagger gives its backends filters, while the rules for
    those who have a cookie are all or nothing (pkg/router/gateway_api.go, GetRoutes).
    """
    weight, mirrored = 0, False
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


def policy_of(canary: Mapping[str, Any]) -> Policy:
    """Find the policy that a Canary carries.

    Raises:
        SlipwayError: It carries none, or one that cannot be read.
    """
    if text := policy_text(canary["spec"].get("analysis") or {}):
        return Policy.parse(text)
    raise SlipwayError(
        f"Canary {canary['metadata']['name']}: spec.analysis: expected a policy in a metric's templateVariables;"
        " it is not judged here: set judge_url and run `pulumi up`"
    )


def policy_text(analysis: Mapping[str, Any]) -> str:
    """Return the policy that an analysis carries, as it was written; empty without a judge."""
    carried = [metric.get("templateVariables") or {} for metric in analysis.get("metrics") or ()]
    carried += [webhook.get("metadata") or {} for webhook in analysis.get("webhooks") or ()]
    return next((str(each[POLICY]) for each in carried if each.get(POLICY)), "")


def promoted(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the condition Promoted of a Canary's status; empty before Flagger's first look."""
    return next((each for each in status.get("conditions") or () if each.get("type") == "Promoted"), {})


def _started(status: Mapping[str, Any]) -> float | None:
    """Say since when Promoted is unknown: that holds for a whole rollout, from Waiting to Finalising.

    It holds from the first Initializing to Initialized too, when there is nothing to try.
    """
    condition = promoted(status)
    if condition.get("status") != "Unknown" or status.get("phase") == "Initializing":
        return None
    return epoch(condition.get("lastTransitionTime"))


def aborted(canary: Mapping[str, Any], candidate: str | None) -> str:
    """Say why somebody wants a candidate's InferenceService away, by its annotation; empty where nobody does."""
    text = ((canary.get("metadata") or {}).get("annotations") or {}).get(ABORT, "")
    name, _, reason = text.partition(":")
    return (reason.strip() or "no reason given") if candidate and name.strip() == candidate else ""


def epoch(text: str | None) -> float | None:
    """Read a time of the API, which is in whole seconds, as seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp() if text else None


def seconds(duration: str) -> float:
    """Read a duration of Go, as far as Flagger takes it: `1m30s`."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([0-9.]+)([hms])", duration))
