"""The state of one rollout, flattened for the judge's decisions and for `/verdict`."""

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
    """One rollout of one model, or the state between two."""

    namespace: str
    model: str
    phase: str
    #: InferenceService of the candidate; None where the target selects the live version.
    candidate: str | None
    candidate_version: int | None
    #: InferenceService of the live version.
    stable: str | None
    stable_version: int | None
    #: Start of the rollout, seconds since the epoch; None between rollouts.
    started: float | None
    #: Time of the last change of the weight. A failed check moves it too, which is the careful side.
    since: float
    #: Percent of the traffic that the route gives the candidate.
    weight: int
    mirrored: bool
    #: Seconds between two checks of Flagger.
    interval: float
    #: Whether the candidate's InferenceService is Ready.
    ready: bool
    #: Whether the target selects another version than the canary Service.
    moved: bool
    #: Reason for which an operator aborted it; empty without an abort.
    aborted: str
    failed_checks: int
    #: Failed checks that end the rollout.
    threshold: int
    #: Weights of the rollout; empty where it counts iterations.
    steps: tuple[int, ...]
    #: Whether confirming the promotion only switches users over: blue-green asks again before it stays.
    switches: bool


def read(kube: Kube, namespace: str, model: str) -> tuple[Run, Object]:
    """Read a rollout and its Canary.

    Raises:
        KubeError: The API server cannot be reached or has no such Canary.
        SlipwayError: A Service of the model selects something other than one of its versions.
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
    """Return the policy that a Canary carries. Raises SlipwayError where it has none or a malformed one."""
    if policy := canaries.policy_of(canary):
        return policy
    raise SlipwayError(
        f"Canary {canary['metadata']['name']}: spec.analysis: expected a policy in a metric's templateVariables;"
        " it is not judged here: set judge_url and run `pulumi up`"
    )


def _started(state: RolloutState) -> float | None:
    """Return the time since which Promoted is Unknown.

    It is so during a whole rollout, from Waiting to Finalising, and also from the first Initializing to Initialized,
    when there is no candidate.
    """
    status, changed = state.condition
    return None if status != "Unknown" or state.seen.phase == "Initializing" else changed or None
