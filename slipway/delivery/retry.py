"""A second rollout of a candidate whose first one failed or was missed by Flagger.

Flagger starts no rollout of a target that it has seen already. So the target goes back to the serving version until
Flagger has seen that, then forward again. Both moves are an `up`, because the target's selector has one writer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from slipway.clients.kube import Kube
from slipway.delivery.abort import WORK, withdraw
from slipway.delivery.acts import Recorded
from slipway.delivery.books import Books
from slipway.errors import ExitCode, SlipwayError
from slipway.objects import Object
from slipway.rollout.cluster import CANARY
from slipway.rollout.observed import SETTLED
from slipway.rollout.state import TICKS_TO_NOTICE, RolloutState, read


class Up(Protocol):
    """Runner of `up`."""

    def __call__(self, *, held_back: str | None = None) -> object:
        """Run `up` for the environment; the target of the held back model goes back to the serving version."""


def retry(kube: Kube, books: Books, up: Up) -> list[str]:
    """Start the rollout of a candidate once more; return what was done.

    Raises:
        SlipwayError: No candidate may be tried again, or Flagger does not react.
    """
    model, namespace = books.spec.name, books.environment.namespace
    state, written = read(kube, namespace, [model])[model], books.recorded()
    version = _version(state, written)
    release = books.release_id(state, version)
    withdraw(kube, namespace, state)
    if state.candidate is not None:
        up(held_back=model)
    _wait(kube, namespace, state, _has_looked, "has not noticed that the target went back")
    up()
    _wait(kube, namespace, state, _runs, "has not begun the rollout")
    live = state.release(state.seen.live_version)
    said = books.note("retried", release, version, other=live, reason="", now=time.time())
    return [f"{model}: the rollout of v{version} has begun again", *filter(None, [said])]


def _version(state: RolloutState, written: Recorded) -> int:
    """Return the version to try again; after an interrupted retry the target may be back already."""
    situation, model = state.situation(time.time()), state.model
    version = state.candidate
    if situation == "settled" and state.seen.phase == "Failed" and written.wanted != state.seen.live_version:
        version = written.wanted
    if written.hold:
        raise SlipwayError(f"{model}: on hold ({written.hold}); remove the hold first")
    if version is not None and version in written.rejected:
        raise SlipwayError(f"{model}: v{version} was rejected ({written.rejected[version]}); register a better version")
    if version is None or situation not in ("failed", "swallowed", "settled"):
        raise SlipwayError(
            f"{model}: no rollout has failed (it is {situation}, phase {state.seen.phase}); nothing to try again",
            ExitCode.BUSY if situation in ("running", "pending") else ExitCode.USER,
        )
    return version


def _wait(kube: Kube, namespace: str, state: RolloutState, holds: Callable[[Object], bool], trouble: str) -> None:
    limit = TICKS_TO_NOTICE * state.interval + WORK
    try:
        kube.wait_for(*CANARY, state.model, namespace, holds, timeout=limit)
    except TimeoutError:
        raise SlipwayError(
            f"{state.model}: Flagger {trouble} within {limit:.0f} s; see that it runs, then run the same command again",
            ExitCode.UNREACHABLE,
        ) from None


def _has_looked(canary: Object) -> bool:
    """Check that the last target that Flagger saw is the promoted version."""
    status = canary.get("status") or {}
    return bool(status.get("lastAppliedSpec")) and status.get("lastAppliedSpec") == status.get("lastPromotedSpec")


def _runs(canary: Object) -> bool:
    return (canary.get("status") or {}).get("phase") not in SETTLED
