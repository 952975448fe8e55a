"""The rollback of a candidate in any state of its rollout, for good."""

from __future__ import annotations

import time

from slipway.clients.kube import Kube
from slipway.delivery import ledger
from slipway.delivery.abort import take_back
from slipway.delivery.acts import Recorded, apply_said
from slipway.delivery.books import Books
from slipway.delivery.rejection import Rejected, reject
from slipway.errors import ExitCode, SlipwayError
from slipway.models.release import version_of
from slipway.rollout.state import RolloutState, read


def rollback(kube: Kube, books: Books, *, reason: str | None = None, to: str | None = None) -> list[str]:
    """Take the traffic back, reject the candidate, restore pins and alias, write the incident; return what was done.

    It can be run again after it was killed at any point. A promoted version is only rejected; the next `up` or commit
    then starts a rollout back.

    Args:
        reason: Why the candidate is rejected; None takes the reason from the rollout.
        to: The release, or the version as `v7`, to serve instead of a promoted one.

    Raises:
        SlipwayError: There is nothing to roll back, or a step failed: the same command run again continues there.
    """
    model, namespace = books.spec.name, books.environment.namespace
    state, written = read(kube, namespace, [model])[model], books.recorded()
    situation = state.situation(time.time())
    if situation in ("absent", "starting"):
        raise SlipwayError(f"{model}: Flagger has not taken it over in {books.environment.name}; nothing to roll back")
    refuse_the_way_back(state, written)
    said: list[str] = []
    if situation in ("running", "pending"):
        before, state = state, take_back(kube, namespace, state, reason or f"rolled back by {ledger.who()}")
        if state.candidate is not None:
            said.append(f"{model}: v{state.candidate} gets no traffic any more, v{state.seen.live_version} all of it")
        else:
            said.append(f"{model}: v{state.seen.live_version} was promoted before Flagger noticed")
            to = to or (f"v{before.seen.live_version}" if before.candidate else None)
    what = _what(books, state, written, reason or "", to)
    if what is None:
        done = "the wanted version serves"
        if books.entries:
            last = books.entries[-1]
            done = f"{last.release or f'v{last.version}'} was rejected at {last.at}"
        return [*said, f"{model}: nothing left to do: {done}"]
    said += reject(kube, books, what)
    return [*(said or [f"{model}: v{what.version} is rejected already"]), _then(what, books)]


def refuse_the_way_back(state: RolloutState, written: Recorded) -> None:
    """Refuse to reject a candidate that replaces a rejected version.

    Raises:
        SlipwayError: The serving version was rejected, so the candidate is the way back.
    """
    live = state.seen.live_version or 0
    if state.candidate is not None and live in written.rejected:
        raise SlipwayError(
            f"{state.model}: v{live} serves, but was rejected; v{state.candidate}, which takes its place, is nothing to"
            " roll back: wait for it, or `slipway rollout retry` if it failed",
            ExitCode.BUSY,
        )


def _what(books: Books, state: RolloutState, written: Recorded, reason: str, to: str | None) -> Rejected | None:
    """Return the version to reject and its replacement; None if that is done already."""
    live = state.seen.live_version or 0
    if state.candidate is not None:
        return Rejected(state, state.candidate, live, reason)
    back = _version(to)
    if back is None and written.stable not in (None, live):
        back = written.stable
    if back is None and not books.pinned and (live in written.rejected or written.settled != live):
        back = max((each for each in state.leftovers if each not in written.rejected), default=None)
    if back == live or (back is None and books.entries and books.entries[-1].action == "rejected"):
        return None
    if back is None:
        earlier = next((each.other for each in reversed(books.entries) if each.other), f"v{max(1, live - 1)}")
        raise SlipwayError(
            f"{state.model}: v{live} serves, nothing is tried; to go back to an earlier release name it: --to {earlier}"
        )
    if back in written.rejected:
        raise SlipwayError(f"{state.model}: v{back} was rejected ({written.rejected[back]}); name another with --to")
    return Rejected(state, live, back, reason)


def _version(to: str | None) -> int | None:
    if to is None:
        return None
    version = version_of(to)
    if not version:
        raise SlipwayError(f"--to {to}: expected a release or a version, as v7 or v7-0123456789ab")
    return version


def _then(what: Rejected, books: Books) -> str:
    """Describe the effect of the next `up` or commit."""
    written, following = books.recorded(), f"the next {apply_said(books.environment)}"
    queued = written.wanted
    if what.serves:
        return f"v{what.version} serves until {following} has brought v{what.back} back by a rollout"
    if queued not in (None, what.back, what.version) and queued not in written.rejected:
        return f"v{queued} is queued: {following} removes v{what.version}, starts the rollout of v{queued}"
    return f"{following} points the target back to v{what.back}, removes v{what.version}"
