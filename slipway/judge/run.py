"""One rollout as the judge sees it: the state of the rollout, flattened for the decision and for `/verdict`."""

from __future__ import annotations

from dataclasses import dataclass

from slipway import names
from slipway.clients.kube import Kube
from slipway.errors import SlipwayError
from slipway.objects import Object
from slipway.rollout import canary as canaries
from slipway.rollout.cluster import CANARY, INFERENCE_SERVICE, ROUTE, SERVICE
from slipway.rollout.policy import Policy
from slipway.rollout.state import RolloutState, states
from slipway.times import epoch


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
        aborted: Why an operator ended it; empty where nobody did.
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
    wanted = [*((SERVICE, name) for name in (model, names.primary(model), names.canary(model))), (ROUTE, model)]
    for kind, name in wanted:
        if found := kube.find(*kind, name, namespace):
            objects.append({**found, "kind": kind[1]})
    candidate = states([model], objects)[model].candidate
    if candidate is not None:
        service = names.inference_service(model, candidate)
        if found := kube.find(*INFERENCE_SERVICE, service, namespace):
            objects.append({**found, "kind": "InferenceService"})
    return of(namespace, states([model], objects)[model]), canary


def of(namespace: str, state: RolloutState) -> Run:
    """Flatten the state of a model's rollout."""
    seen, status, analysis = state.seen, state.status, state.analysis
    candidate = names.inference_service(state.model, seen.candidate) if seen.candidate else None
    service = seen.services.get(candidate or "")
    return Run(
        namespace=namespace,
        model=state.model,
        phase=seen.phase or "",
        candidate=candidate,
        candidate_version=seen.candidate,
        stable=names.inference_service(state.model, seen.live_version) if seen.live_version else None,
        stable_version=seen.live_version,
        started=_started(state),
        since=epoch(status.get("lastTransitionTime")) or 0.0,
        weight=state.weight or 0,
        mirrored=state.mirrored,
        interval=state.interval,
        ready=bool(service and service.ready),
        moved=state.behind_canary != seen.target_version,
        aborted=state.abort,
        failed_checks=int(status.get("failedChecks") or 0),
        threshold=int(analysis.get("threshold") or 0),
        steps=tuple(analysis.get("stepWeights") or ()),
        switches=not analysis.get("match")
        and int(status.get("iterations") or 0) <= int(analysis.get("iterations") or -1),
    )


def policy_of(canary: Object) -> Policy:
    """Return the policy that a Canary carries.

    Raises:
        SlipwayError: It carries none, or one that cannot be read.
    """
    if policy := canaries.policy_of(canary):
        return policy
    raise SlipwayError(
        f"Canary {canary['metadata']['name']}: spec.analysis: expected a policy in a metric's templateVariables;"
        " it is not judged here: set judge_url and run `pulumi up`"
    )


def _started(state: RolloutState) -> float | None:
    """Return since when Promoted is unknown: that holds for a whole rollout, from Waiting to Finalising.

    It holds from the first Initializing to Initialized too, when there is nothing to try.
    """
    status, changed = state.condition
    return None if status != "Unknown" or state.seen.phase == "Initializing" else changed or None
