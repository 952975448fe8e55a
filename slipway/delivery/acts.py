"""The operator's next action for a rollout, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from slipway.rollout.state import RolloutState, Situation
from slipway.settings.environment import Environment

#: The command that applies the records to the cluster: `slipway up`, or `slipway render` and a commit of its files.
Apply = Literal["up", "render"]
#: The next command: `slipway rollout settle | rollback | retry` or one that applies; "nothing" if none is needed.
Next = Literal["nothing", "settle", "rollback", "retry"] | Apply


@dataclass(frozen=True)
class Recorded:
    """Versions recorded for a model in the pins or, if the environment follows an alias, in the registry.

    Args:
        stable: The version to serve; None if the environment follows an alias: the serving version is then stable.
        wanted: The version to try or to keep serving; None if the registry could not be asked.
        rejected: Reasons by rejected version.
        settled: The version that was settled last.
        hold: Reason why no rollout may start.
    """

    stable: int | None = None
    wanted: int | None = None
    rejected: Mapping[int, str] = field(default_factory=dict)
    settled: int | None = None
    hold: str | None = None


@dataclass(frozen=True)
class Act:
    """Situation of a rollout and the next command."""

    situation: Situation
    waits_for: str
    next: Next
    why: str


def apply(environment: Environment) -> Apply:
    """Return the command that applies the objects of an environment's models."""
    return "render" if environment.delivery == "gitops" else "up"


def apply_said(environment: Environment) -> str:
    """Return the same command in the words of a sentence, after "the next"."""
    return f"commit (`slipway render -s {environment.name}`)" if apply(environment) == "render" else "`slipway up`"


def act(state: RolloutState, recorded: Recorded, environment: Environment, now: float) -> Act:
    """Return the next action for a model; `now` in seconds since the epoch."""
    situation, following = state.situation(now), apply(environment)
    queued = _queued(state, recorded, environment)
    if situation == "absent":
        # Pulumi creates the pair of Services in every environment, so a new model starts with `up`.
        begin = following if state.seen.live_version else "up"
        return Act(situation, "", begin if recorded.wanted else "nothing", "it does not run here yet")
    if situation in ("starting", "pending", "running"):
        return Act(situation, _waits_for(state, situation), "nothing", queued)
    if situation == "settled":
        return _settled(state, recorded, following, queued)
    live, tried = state.seen.live_version, state.candidate or 0
    if tried in recorded.rejected:
        why = f"v{tried} was rejected ({recorded.rejected[tried]}); the target goes back to v{live}"
        return Act(situation, "", following, why)
    if live in recorded.rejected:
        why = f"v{live} serves, but was rejected; the way back to v{tried} has not succeeded"
        return Act(situation, "", "retry", why)
    if situation == "failed":
        why = f"v{live} serves; reject v{tried}, or `slipway rollout retry` if it was not v{tried}'s fault"
        return Act(situation, "", "rollback", why + _and(queued))
    why = f"the target selects v{tried}, but no rollout of it began: Flagger missed it; v{live} serves"
    return Act(situation, "", "retry", why)


def _settled(state: RolloutState, recorded: Recorded, following: Apply, queued: str) -> Act:
    live, wanted = state.seen.live_version or 0, recorded.wanted
    if live in recorded.rejected:
        why = f"v{live} was rejected after it was promoted ({recorded.rejected[live]}); "
        gone = {None, live, *recorded.rejected}
        back = next((each for each in (recorded.stable, wanted) if each not in gone), None)
        if back is None:
            return Act("settled", "", "rollback", f"{why}name the version to serve with --to")
        return Act("settled", "", following, f"{why}a rollout back to v{back} starts")
    others = ", ".join(f"v{version}" for version in old(state, recorded))
    if recorded.stable not in (None, live) or (others and recorded.settled != live):
        others = others or f"v{recorded.stable}"
        return Act("settled", "", "settle", f"v{live} is promoted; recording it lets {others} go{_and(queued)}")
    if wanted in recorded.rejected and recorded.stable is not None:
        return Act("settled", "", "settle", f"v{wanted} was rejected, v{live} serves; the pins still name v{wanted}")
    if queued and not recorded.hold:
        return Act("settled", "", following, queued)
    if others:
        return Act("settled", "", following, f"retires {others}")
    return Act("settled", "", "nothing", f"on hold: {recorded.hold}" if recorded.hold else "")


def old(state: RolloutState, recorded: Recorded) -> tuple[int, ...]:
    """List the running versions that neither users, nor this rollout, nor the next one need."""
    return tuple(each for each in state.leftovers if each not in (recorded.stable, recorded.wanted))


def _queued(state: RolloutState, recorded: Recorded, environment: Environment) -> str:
    """Describe the queued version; empty if it is rejected or its rollout has begun."""
    wanted = recorded.wanted
    if wanted is None or wanted in (state.seen.live_version, state.candidate) or wanted in recorded.rejected:
        return ""
    return f"v{wanted} is queued: the next {apply_said(environment)} starts its rollout"


def _and(more: str) -> str:
    return f"; {more}" if more else ""


def _waits_for(state: RolloutState, situation: Situation) -> str:
    phase = state.seen.phase
    if situation == "starting":
        return "Flagger to take it over"
    if situation == "pending":
        return f"Flagger's next look, every {state.interval:g} s"
    if state.abort:
        return f"Flagger to take the traffic back ({state.abort})"
    if phase == "Waiting":
        return f"v{state.candidate} to be Ready, or an approval"
    if phase == "WaitingPromotion":
        return "labels, or an approval, before it is promoted"
    if phase in ("Promoting", "Finalising"):
        return "all traffic to reach the primary"
    return f"the next analysis, every {state.interval:g} s"
