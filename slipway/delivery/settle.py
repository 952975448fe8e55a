"""The record of a candidate's outcome: promoted ones become stable, failed ones rejected."""

from __future__ import annotations

import time
from typing import get_args

from slipway.clients.kube import Kube
from slipway.delivery import acts
from slipway.delivery.acts import Recorded
from slipway.delivery.books import Books
from slipway.delivery.rejection import Rejected, reject
from slipway.delivery.rollback import refuse_the_way_back
from slipway.delivery.steps import Step, take
from slipway.errors import ExitCode, SlipwayError
from slipway.rollout.state import RolloutState, read
from slipway.settings import stack_file


def settle(kube: Kube, books: Books) -> list[str]:
    """Make a promoted candidate stable or a failed one rejected; return what was done.

    The outcome is read from the cluster's selectors and route weights.

    Raises:
        SlipwayError: A rollout is under way, or the records do not agree with the cluster.
    """
    model = books.spec.name
    state, now = read(kube, books.environment.namespace, [model])[model], time.time()
    situation = state.situation(now)
    if situation in ("absent", "starting"):
        raise SlipwayError(f"{model}: does not serve in {books.environment.name} yet; nothing to settle")
    if situation in ("running", "pending"):
        raise SlipwayError(
            f"{model}: the rollout of v{state.candidate} is under way ({state.seen.phase}, {state.weight or 0}% of the"
            " traffic); settle it when it has ended, or end it: `slipway rollout rollback`",
            ExitCode.BUSY,
        )
    if situation == "swallowed":
        raise SlipwayError(
            f"{model}: no rollout of v{state.candidate} ever began, so there is nothing to settle;"
            " `slipway rollout retry`"
        )
    if situation == "failed":
        refuse_the_way_back(state, books.recorded())
        return reject(kube, books, Rejected(state, state.candidate or 0, state.seen.live_version or 0))
    return _promoted(books, state, now)


def _promoted(books: Books, state: RolloutState, now: float) -> list[str]:
    model, live = state.model, state.seen.live_version or 0
    written = books.recorded()
    if live in written.rejected:
        raise SlipwayError(
            f"{model}: v{live} serves, but was rejected ({written.rejected[live]}); the next"
            f" {acts.apply_said(books.environment)} starts the way back"
        )
    if state.weight not in (0, None):
        raise SlipwayError(
            f"{model}: the route gives the candidate {state.weight}%, though Flagger says {state.seen.phase};"
            " see that Flagger runs, then settle",
            ExitCode.BUSY,
        )
    refuse_alone(books, live)
    if not _news(books, state, written):
        return [f"{model}: v{live} serves; nothing to settle"]
    release = books.release_id(state, live)
    before = books.pin().stable if books.pinned else state.release(max(acts.old(state, written), default=None))
    other = "" if before == release else before
    done = take(
        [
            Step("ledger", lambda: books.note("settled", release, live, other=other, reason="promoted", now=now)),
            Step("record", lambda: books.settle(release)),
            # An alias that the environment follows names the wanted version, so it stays.
            Step("alias", lambda: books.move_alias(live) if books.pinned else "", may_wait=True),
        ]
    )
    following = acts.act(state, books.recorded(), books.environment, now)
    done = done or [f"{model}: v{live} is settled already"]
    return [*done, following.why] if following.next in get_args(acts.Apply) else done


def refuse_alone(books: Books, live: int) -> None:
    """Refuse to settle pins of several stacks before all of them serve the version.

    Raises:
        SlipwayError: Another stack still serves another version.
    """
    model, own = books.spec.name, books.environment
    behind = {stack: version for stack, version in books.elsewhere().items() if version != live}
    if behind:
        serves = ", ".join(f"{stack} serves v{version}" for stack, version in behind.items())
        stack = next(iter(behind))
        following = acts.apply(stack_file.read_environment(books.project, stack))
        raise SlipwayError(
            f"{model}: v{live} serves in {own.name}, but {serves}, of the same pins; `slipway {following} -s {stack}`"
            " comes next, settle when all serve the same",
            ExitCode.BUSY,
        )


def _news(books: Books, state: RolloutState, written: Recorded) -> bool:
    """Return whether anything is to be recorded, or was at the previous attempt."""
    live = state.seen.live_version
    if acts.old(state, written) or written.settled == live:
        return True
    if books.pinned:
        return written.stable != live or written.wanted in written.rejected
    return state.seen.phase == "Succeeded"
