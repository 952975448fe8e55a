"""The decisions of a rollout, from reported events.

The judge's ledger has every event of Flagger with its time and the judge's own decisions. Without it the source is the
Events of Kubernetes, which fold equal messages into one with a count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, get_args

from slipway import names
from slipway.delivery.record import Decision
from slipway.judge.ledger import entry_of
from slipway.rollout import messages
from slipway.rollout.messages import Kind
from slipway.times import epoch, iso

#: Flagger's conditions are in whole seconds, its messages are not.
WHOLE_SECOND = 1.0


@dataclass(frozen=True)
class Noted:
    """One event.

    Args:
        at: Seconds since the epoch.
        reason: The event in plain words.
        kind: Kind of the decision; None if the event decides nothing.
        count: Occurrences since the last event of this kind in the list.
        weight: Percent of the traffic that the candidate had; None if unknown.
        own: Whether it is a decision of the judge: `reason` is then its reason.
        candidate: The candidate's InferenceService; empty if unknown.
        phase: Flagger's phase from then on; empty if unknown.
    """

    at: float
    reason: str
    kind: Kind | None = None
    count: int = 1
    weight: int | None = None
    own: bool = False
    candidate: str = ""
    phase: str = ""


def noted_in_events(events: Iterable[Mapping[str, Any]]) -> list[Noted]:
    """Read Kubernetes Events of one Canary, oldest first; a folded one counts at its first and at its last time."""
    found = []
    for event in events:
        first = epoch(event.get("firstTimestamp") or event.get("eventTime")) or 0.0
        last, count = epoch(event.get("lastTimestamp")) or first, int(event.get("count") or 1)
        found.append(of_flagger(first, event.get("message", "")))
        if count > 1 and last > first:
            found.append(of_flagger(last, event.get("message", ""), count - 1))
    return sorted(found, key=lambda each: each.at)


def noted_in_ledger(entries: Iterable[Any], namespace: str, model: str) -> list[Noted]:
    """Read the judge's ledger, oldest first; anything that is not an entry is skipped."""
    found = []
    for content in entries:
        with suppress(ValueError):
            entry = entry_of(content)
            if (entry.namespace, entry.model) != (namespace, model):
                continue
            # Flagger names neither the candidate nor the rollout.
            own = bool(entry.candidate or entry.run)
            reason = entry.message if own else messages.read(entry.message).plain
            kind = next((each for each in get_args(Kind) if each == entry.kind), None)
            found.append(Noted(entry.time, reason, kind, entry.count, entry.weight, own, entry.candidate, entry.phase))
    return sorted(found, key=lambda each: each.at)


def of_flagger(at: float, message: str, count: int = 1) -> Noted:
    """Read one of Flagger's messages."""
    meaning = messages.read(message)
    return Noted(at, meaning.plain, meaning.kind, count, meaning.weight, phase=meaning.phase)


def candidate(noted: Iterable[Noted], start: float, end: float, model: str) -> int | None:
    """Return the candidate between two moments, from the judge's events; None without one."""
    named = [each.candidate for each in noted if each.candidate and start - WHOLE_SECOND <= each.at <= end]
    return names.version_in(named[-1], model) if named else None


def last_start(noted: Iterable[Noted], before: float) -> float | None:
    """Return the start of the last rollout before a moment."""
    return max((each.at for each in noted if each.at <= before and each.kind == "started"), default=None)


def decisions(noted: Sequence[Noted], start: float, end: float, abort: str = "") -> tuple[Decision, ...]:
    """Return the decisions between two moments, in seconds since the epoch.

    Args:
        noted: All events, oldest first.
        abort: The operator's reason to abort; empty without a request.
    """
    found: list[Decision] = []
    weight, last_halt, over = 0, "", False
    for each in noted:
        kind = each.kind if start - WHOLE_SECOND <= each.at <= end + WHOLE_SECOND else None
        # The end is reported several times: by the judge, then by Flagger as it starts and as it completes.
        if kind is None or (over and kind != "started"):
            continue
        weight = weight if each.weight is None else each.weight
        reason = each.reason
        if kind == "halted":
            last_halt = reason
        elif kind in ("rolled-back", "aborted"):
            if not each.own:
                # Flagger reports a failed check and an operator's abort with the same message.
                kind, reason = ("aborted", abort) if abort else ("rolled-back", last_halt or reason)
            weight = 0
        over = kind in ("promoted", "rolled-back", "aborted")
        reason += f" ({each.count} times)" if each.count > 1 else ""
        found.append(Decision(at=iso(each.at), kind=kind, weight=weight, reason=reason))
    return tuple(found)


def failed_checks(noted: Iterable[Noted], start: float, until: float) -> int:
    """Count the checks that failed between two moments."""
    return sum(each.count for each in noted if start <= each.at <= until and each.kind == "halted")
