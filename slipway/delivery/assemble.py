"""The record of a rollout, computed from the cluster's state, the events and the measurements, without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from slipway import names
from slipway.delivery import history, measure
from slipway.delivery.history import Noted
from slipway.delivery.measure import Readings, Side
from slipway.delivery.record import Decision, Exposure, Outcome, Point, RolloutRecord
from slipway.rollout.canary import policy_text, strategy_of
from slipway.rollout.observed import SETTLED
from slipway.rollout.state import RolloutState
from slipway.settings.environment import Environment
from slipway.times import epoch, iso


def end_of(state: RolloutState) -> tuple[bool, float | None]:
    """Return whether a rollout runs, and the end of the last one in seconds since the epoch."""
    status, changed = state.condition
    running = state.seen.phase not in (None, "Initializing", *SETTLED)
    return running, changed if status in ("True", "False") and changed else None


def start_of(state: RolloutState, noted: Sequence[Noted], running: bool, end: float) -> float | None:
    """Return the start of the rollout in seconds since the epoch; None if neither Canary nor events show it."""
    status, changed = state.condition
    if running and status == "Unknown" and changed:
        return changed
    return history.last_start(noted, end)


def record(
    environment: Environment,
    state: RolloutState,
    noted: Sequence[Noted],
    readings: Readings,
    start: float,
    end: float | None,
) -> RolloutRecord:
    """Return the record of one rollout; `start` and `end` in seconds since the epoch, `end` None while it runs."""
    model, analysis = state.model, state.analysis
    until = readings.grid[-1] if readings.grid else start
    stable, candidate = sides(state, readings, history.candidate(noted, start, max(until, end or 0.0), model))
    decided = history.decisions(noted, start, max(until, end or 0.0), state.abort)
    outcome = outcome_of(state, decided, end)
    switched = next((_seconds(each.at) for each in decided if each.kind == "promoted"), end)
    seen = points(state, noted, readings, stable, candidate, start, end)
    reason, strategy = _reason(outcome, decided, state), strategy_of(state.canary)
    return RolloutRecord(
        environment=environment.name,
        model=model,
        namespace=environment.namespace,
        strategy=strategy,
        stable_version=stable.version,
        candidate_version=candidate.version,
        stable_release=state.release(stable.version),
        candidate_release=state.release(candidate.version),
        outcome=outcome,
        reason=reason,
        started=iso(start),
        ended=iso(end) if end else "",
        steps=tuple(analysis.get("stepWeights") or ()),
        interval_seconds=round(state.interval),
        threshold=int(analysis.get("threshold") or 0),
        policy=policy_text(state.canary),
        # Users never get the answers of a shadow.
        exposure=Exposure()
        if strategy == "shadow"
        else exposure(seen, switched if outcome == "promoted" else None, state.interval),
        points=seen,
        decisions=decided,
    )


def sides(state: RolloutState, readings: Readings, noted: int | None = None) -> tuple[Side, Side]:
    """Return the compared versions; 0 stands for an unknown one.

    During a rollout and after a failed one the selectors name both. Later both select the same version; the other one
    is taken from the judge's ledger or from the pods scraped behind each Service.
    """
    model, live, tried = state.model, state.seen.live_version or 0, state.candidate
    scraped = measure.versions(readings, model)
    if tried is None:
        others = scraped.get(names.canary(model), set()) - {live}
        before = scraped.get(names.primary(model), set()) - {live}
        # Promoted, or about to be ("Unknown" until the traffic is back): what serves now was the candidate.
        if state.condition[0] != "False":
            live, tried = max(before, default=max(state.leftovers, default=0)), live
        else:
            tried = noted or max(others, default=max(state.leftovers, default=0))
    return (
        Side(names.primary(model), names.inference_service(model, live), live),
        Side(names.canary(model), names.inference_service(model, tried), tried),
    )


def outcome_of(state: RolloutState, decided: Sequence[Decision], end: float | None) -> Outcome:
    """Return the outcome of a rollout."""
    if end is None:
        return "running"
    if state.condition[0] == "True":
        return "promoted"
    aborted = state.abort or any(each.kind == "aborted" for each in decided)
    return "aborted" if aborted else "failed"


def points(
    state: RolloutState,
    noted: Sequence[Noted],
    readings: Readings,
    stable: Side,
    candidate: Side,
    start: float,
    end: float | None,
) -> tuple[Point, ...]:
    """Return one point for the end of each interval; its weight is the highest in the interval."""
    primary, canary = (measure.measured(readings, side) for side in (stable, candidate))
    weights, evidences = measure.weights(readings), measure.evidences(readings)
    found, weight = list[Point](), 0
    moves = [(each.at, each.weight) for each in noted if each.kind == "advanced" and each.weight is not None]
    for index, (before, at) in enumerate(pairwise(readings.grid)):
        over, last = end is not None and at > end, index == len(readings.grid) - 2
        # Flagger moves the weight just after a moment of the grid, so both ends of the interval may miss it.
        moved = [weight for moment, weight in moves if before < moment <= at]
        known = [each for each in (*weights[index : index + 2], *moved) if each is not None]
        weight = 0 if end is not None and before >= end else max(known, default=weight)
        if last and end is None and state.weight is not None:
            weight = state.weight
        found.append(
            Point(
                at=iso(at),
                phase=state.seen.phase or "" if over or (last and end is None) else _phase(noted, at),
                weight=weight,
                failed_checks=history.failed_checks(noted, start, at),
                evidence=evidences[index + 1],
                primary=primary[index],
                canary=canary[index],
            )
        )
    return tuple(found)


def exposure(seen: Sequence[Point], switched: float | None, interval: float) -> Exposure:
    """Sum the requests that the candidate answered up to its promotion."""
    counted = [each for each in seen if switched is None or _seconds(each.at) <= switched + interval]
    exposed = [each for each in counted if each.canary.requests]
    if not exposed:
        return Exposure()
    return Exposure(
        requests=sum(each.canary.requests for each in counted),
        failed=sum(each.canary.failed for each in counted),
        seconds=_seconds(exposed[-1].at) - _seconds(exposed[0].at) + interval,
    )


def _phase(noted: Sequence[Noted], at: float) -> str:
    """Return Flagger's phase at a moment, from the last event that has one."""
    return next((each.phase for each in reversed(noted) if each.at <= at and each.phase), "Progressing")


def _reason(outcome: Outcome, decided: Sequence[Decision], state: RolloutState) -> str:
    if outcome == "running":
        return ""
    wanted = {"promoted": ("promoted",), "failed": ("rolled-back",), "aborted": ("aborted", "rolled-back")}[outcome]
    said = next((each.reason for each in reversed(decided) if each.kind in wanted), "")
    if outcome == "aborted":
        return state.abort or said
    if outcome == "failed" and not said:
        said = next((each.reason for each in reversed(decided) if each.kind == "halted"), "")
    return said


def _seconds(at: str) -> float:
    return epoch(at) or 0.0
