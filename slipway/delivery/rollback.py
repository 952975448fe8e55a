"""Takes a candidate away for good, whatever its rollout has come to."""

from __future__ import annotations

import time

from slipway.clients.kube import Kube
from slipway.delivery import ledger
from slipway.delivery.abort import abort
from slipway.delivery.acts import Recorded, apply_said
from slipway.delivery.books import Books
from slipway.delivery.rejection import Rejected, reject
from slipway.delivery.steps import After, nobody
from slipway.errors import ExitCode, SlipwayError
from slipway.models.release import version_of
from slipway.rollout.state import RolloutState, read


def rollback(
    kube: Kube, books: Books, *, reason: str | None = None, to: str | None = None, after: After = nobody
) -> list[str]:
    """Take back the traffic, reject the candidate, restore pins and alias, tell the incident; returns what was done.

    Safe to run twice, or again after it was killed anywhere. A version that users are served by already cannot be
    taken away at once: it is rejected, and the next `up`, or commit, starts a rollout back.

    Args:
        kube: The cluster.
        books: Where it is written down.
        reason: Why; found out where there is none.
        to: The release, or the version as `v7`, that shall serve instead of a stable one.
        after: Told the name of each step that is over.

    Raises:
        SlipwayError: There is nothing to roll back, or a step failed: the same command again goes on from there.
    """
    model, namespace = books.spec.name, books.environment.namespace
    state, written = read(kube, namespace, [model])[model], books.recorded()
    situation = state.situation(time.time())
    if situation in ("absent", "starting"):
        raise SlipwayError(f"{model}: Flagger has not taken it over in {books.environment.name}; nothing to roll back")
    refuse_the_way_back(state, written)
    said: list[str] = []
    if situation in ("running", "pending"):
        before, state = state, abort(kube, namespace, state, reason or f"rolled back by {ledger.who()}")
        after("abort")
        if state.candidate is not None:
            said.append(f"{model}: v{state.candidate} gets no traffic any more, v{state.seen.live_version} all of it")
        else:
            said.append(f"{model}: v{state.seen.live_version} was promoted before Flagger heard of it")
            to = to or (f"v{before.seen.live_version}" if before.candidate else None)
    what = _what(books, state, written, reason or "", to)
    if what is None:
        return [*said, f"{model}: nothing left to do: {_done(books)}"]
    said += reject(kube, books, what, after=after)
    return [*(said or [f"{model}: v{what.version} is rejected already"]), _then(what, books)]


def stop(kube: Kube, books: Books, *, reason: str | None = None) -> list[str]:
    """Take the traffic back from a candidate, nothing else; returns what was done.

    Raises:
        SlipwayError: As `abort`.
    """
    model, namespace = books.spec.name, books.environment.namespace
    state = read(kube, namespace, [model])[model]
    if state.situation(time.time()) not in ("running", "pending"):
        return [f"{model}: no rollout is under way; v{state.seen.live_version} serves"]
    why = reason or f"aborted by {ledger.who()}"
    after = abort(kube, namespace, state, why)
    if (tried := after.candidate) is None:
        raise SlipwayError(
            f"{model}: v{after.seen.live_version} was promoted before Flagger heard of it; `slipway rollout rollback`"
        )
    live = books.release_id(state, state.seen.live_version or 0)
    said = books.note("aborted", books.release_id(state, tried), tried, other=live, reason=why, now=time.time())
    return [f"{model}: v{tried} gets no traffic any more, v{state.seen.live_version} all of it", *filter(None, [said])]


def refuse_the_way_back(state: RolloutState, written: Recorded) -> None:
    """Keep the rollout that brings a good version back from being taken for one that brings a bad one.

    Raises:
        SlipwayError: What serves was rejected, so what is tried is the way back.
    """
    live = state.seen.live_version or 0
    if state.candidate is not None and live in written.rejected:
        raise SlipwayError(
            f"{state.model}: v{live} serves, but was rejected; v{state.candidate}, which takes its place, is nothing to"
            " roll back: wait for it, or `slipway rollout retry` where it failed",
            ExitCode.BUSY,
        )


def _what(books: Books, state: RolloutState, written: Recorded, reason: str, to: str | None) -> Rejected | None:
    """Say what goes, what comes instead; None where that is done already."""
    live = state.seen.live_version or 0
    if state.candidate is not None:
        return Rejected(state, state.candidate, live, reason)
    back = _version(to)
    if back is None and written.stable not in (None, live):
        back = written.stable
    if back is None and not books.pinned and (live in written.rejected or written.settled != live):
        back = max((each for each in state.leftovers if each not in written.rejected), default=None)
    if back == live or (back is None and ledger.last(books.ledger_file, state.model) and _is_rejection(books)):
        return None
    if back is None:
        raise SlipwayError(
            f"{state.model}: v{live} serves, nothing is tried; to go back to an earlier release name it:"
            f" --to {_example(books, live)}"
        )
    if back in written.rejected:
        raise SlipwayError(f"{state.model}: v{back} was rejected ({written.rejected[back]}); name another with --to")
    return Rejected(state, live, back, reason)


def _is_rejection(books: Books) -> bool:
    found = ledger.last(books.ledger_file, books.spec.name)
    return found is not None and found.deed == "rejected"


def _done(books: Books) -> str:
    found = ledger.last(books.ledger_file, books.spec.name)
    return f"{found.release or f'v{found.version}'} was rejected at {found.at}" if found else "what is wanted serves"


def _version(to: str | None) -> int | None:
    if to is None:
        return None
    version = version_of(to)
    if not version:
        raise SlipwayError(f"--to {to}: expected a release or a version, as v7 or v7-0123456789ab")
    return version


def _example(books: Books, live: int) -> str:
    found = [each.other for each in ledger.entries(books.ledger_file) if each.model == books.spec.name and each.other]
    return found[-1] if found else f"v{max(1, live - 1)}"


def _then(what: Rejected, books: Books) -> str:
    """Say what comes of it when the cluster is told."""
    written, following = books.recorded(), f"the next {apply_said(books.environment)}"
    queued = written.wanted
    if what.serves:
        return f"v{what.version} serves until {following} has brought v{what.back} back by a rollout"
    if queued not in (None, what.back, what.version) and queued not in written.rejected:
        return f"v{queued} is queued: {following} removes v{what.version}, starts the rollout of v{queued}"
    return f"{following} points the target back to v{what.back}, removes v{what.version}"
