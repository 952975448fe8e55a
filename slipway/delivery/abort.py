"""The abort of a rollout: on request, Flagger takes the traffic back from the candidate."""

from __future__ import annotations

import time
from dataclasses import replace

from slipway import names
from slipway.clients.kube import Kube
from slipway.delivery import ledger
from slipway.delivery.books import Books
from slipway.errors import ExitCode, SlipwayError
from slipway.objects import Object
from slipway.rollout.canary import ABORT
from slipway.rollout.cluster import CANARY
from slipway.rollout.observed import SETTLED
from slipway.rollout.state import RolloutState, read

#: Ticks of Flagger within which a requested abort must be complete. Flagger takes the traffic back within two; the rest
#: is for an API server that cannot be reached.
TICKS = 6
#: Seconds for Flagger's own work in all ticks together.
WORK = 30.0


def abort(kube: Kube, books: Books, *, reason: str | None = None) -> list[str]:
    """Take the traffic back from a candidate without rejecting it; return what was done.

    Raises:
        SlipwayError: Flagger did not react, or promoted the candidate first.
    """
    model, namespace = books.spec.name, books.environment.namespace
    state = read(kube, namespace, [model])[model]
    if state.situation(time.time()) not in ("running", "pending"):
        return [f"{model}: no rollout is under way; v{state.seen.live_version} serves"]
    why = reason or f"aborted by {ledger.who()}"
    after = take_back(kube, namespace, state, why)
    if (tried := after.candidate) is None:
        raise SlipwayError(
            f"{model}: v{after.seen.live_version} was promoted before Flagger noticed; `slipway rollout rollback`"
        )
    live = books.release_id(state, state.seen.live_version or 0)
    said = books.note("aborted", books.release_id(state, tried), tried, other=live, reason=why, now=time.time())
    return [f"{model}: v{tried} gets no traffic any more, v{state.seen.live_version} all of it", *filter(None, [said])]


def take_back(kube: Kube, namespace: str, state: RolloutState, reason: str) -> RolloutState:
    """End a rollout and wait until the route gives the candidate no traffic; return the state after that.

    A candidate that Flagger is already promoting is promoted; the returned state then has no candidate.

    The annotation names the candidate, so it applies to no other. The judge sees it at Flagger's next call of the
    rollback hook. Without a hook, or without an answer from the judge, the failed checks are set to the threshold, at
    which Flagger itself ends a rollout.

    Raises:
        SlipwayError: Flagger did not react.
    """
    # During the promotion the primary selects the candidate already, so there is nothing to annotate.
    tried = names.inference_service(state.model, state.candidate or state.seen.live_version or 0)
    if state.candidate is not None:
        text = f"{tried}: {' '.join(reason.split())}"
        kube.patch(*CANARY, state.model, namespace, {"metadata": {"annotations": {ABORT: text}}})
    deadline = time.monotonic() + TICKS * state.interval + WORK
    hooked = state.has_rollback_hook
    pending = state.seen.phase in SETTLED

    def is_over(canary: Object) -> bool:
        """Check for the end of this rollout rather than of the previous one."""
        ended = replace(state, canary=canary).condition[1]
        phase = (canary.get("status") or {}).get("phase")
        return phase in SETTLED and (ended > state.moved if pending else ended >= state.moved)

    while time.monotonic() < deadline:
        if not hooked and state.candidate is not None:
            failed = {"status": {"failedChecks": max(1, int(state.analysis.get("threshold") or 1))}}
            kube.patch(*CANARY, state.model, namespace, failed, subresource="status")
        try:
            kube.wait_for(*CANARY, state.model, namespace, is_over, timeout=2 * state.interval + WORK / TICKS)
            break
        except TimeoutError:
            hooked = False
    after = read(kube, namespace, [state.model])[state.model]
    if after.seen.phase not in SETTLED or after.weight not in (0, None):
        raise SlipwayError(
            f"{state.model}: Flagger has not taken the traffic back from {tried} (phase {after.seen.phase},"
            f" {after.weight}%); see that it runs, then run the same command again",
            ExitCode.UNREACHABLE,
        )
    return after


def withdraw(kube: Kube, namespace: str, state: RolloutState) -> None:
    """Remove the request to abort, so that the same candidate can be tried again."""
    if state.abort:
        kube.patch(*CANARY, state.model, namespace, {"metadata": {"annotations": {ABORT: None}}})
