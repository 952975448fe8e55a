"""What was said while a rollout ran, as decisions.

Two sources say it in Flagger's own words (pkg/controller): the judge's ledger, which has each message with its time, or
the Events of Kubernetes, which fold equal messages into one with a count. The ledger has the judge's reasons besides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from slipway import names
from slipway.delivery.record import Decision, Kind
from slipway.times import epoch, iso


@dataclass(frozen=True)
class Noted:
    """One message.

    Args:
        at: Seconds since the epoch.
        message: What was said.
        kind: What it is about; None where it decides nothing.
        count: How often it was said since the last one of its kind in this list.
        weight: Percent of the traffic that the candidate had; None where the message does not tell.
        own: Whether these are the judge's words, not Flagger's: then they are plain as they are.
        candidate: The InferenceService that was tried; empty where the source does not tell.
    """

    at: float
    message: str
    kind: Kind | None = None
    count: int = 1
    weight: int | None = None
    own: bool = False
    candidate: str = ""


#: Flagger's words, in the order in which they are tried (pkg/controller/scheduler*.go, v1.41).
_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"New revision detected! (Scaling up|Restarting analysis)", "started"),
    (r"Advance \S+ canary (weight|iteration) ", "advanced"),
    (r"Halt .*waiting for .*approval", "held"),
    (r"Halt |Metric query failed|Error |Prometheus query failed", "halted"),
    (r"Copying \S+ template spec to |Promotion completed!", "promoted"),
    (r"Rolling back .*manual webhook invoked", "aborted"),
    (r"Rolling back |Canary failed!", "rolled-back"),
)
#: Flagger's conditions are in whole seconds, its messages are not.
WHOLE_SECOND = 1.0
_WEIGHT = re.compile(r"canary weight (\d+)")
_ITERATION = re.compile(r"canary iteration (\S+)")
_NO_VALUES = re.compile(r"no values found for (?:custom metric|metric): ([^:]+)")
_HALT = re.compile(r"Halt \S+ advancement (.*)")


def noted_in_events(events: Iterable[Mapping[str, Any]]) -> list[Noted]:
    """Read Kubernetes Events of one Canary, oldest first; a folded one counts at its first time, then at its last."""
    found = []
    for event in events:
        first = epoch(event.get("firstTimestamp") or event.get("eventTime")) or 0.0
        last, count = epoch(event.get("lastTimestamp")) or first, int(event.get("count") or 1)
        found.append(of_flagger(first, event.get("message", "")))
        if count > 1 and last > first:
            found.append(of_flagger(last, event.get("message", ""), count - 1))
    return sorted(found, key=lambda each: each.at)


def noted_in_ledger(entries: Iterable[Mapping[str, Any]], namespace: str, model: str) -> list[Noted]:
    """Read the judge's ledger, oldest first: Flagger's messages, with the judge's own lines between them."""
    found = []
    for entry in entries:
        if (entry.get("namespace"), entry.get("model")) != (namespace, model) or not entry.get("at"):
            continue
        at, message, count = epoch(str(entry["at"])) or 0.0, str(entry.get("message", "")), int(entry.get("count") or 1)
        noted = of_flagger(at, message, count)
        if noted.kind is None and entry.get("kind") in get_args(Kind):
            candidate = str(entry.get("candidate") or "")
            noted = Noted(
                at, _unnamed(message), entry["kind"], count, entry.get("weight"), own=True, candidate=candidate
            )
        found.append(noted)
    return sorted(found, key=lambda each: each.at)


def candidate(noted: Iterable[Noted], start: float, end: float, model: str) -> int | None:
    """Return the version that was tried between two moments, as the judge has noted it; None where it has not."""
    named = [each.candidate for each in noted if each.candidate and start - WHOLE_SECOND <= each.at <= end]
    return names.version_in(named[-1], model) if named else None


def _unnamed(message: str) -> str:
    """Leave out of an abort what its kind says: `churn-v8: aborted: it lies` is `it lies`."""
    return message.partition(": aborted: ")[2] or message


def of_flagger(at: float, message: str, count: int = 1) -> Noted:
    """Take a message of Flagger's."""
    match = _WEIGHT.search(message)
    return Noted(at, message, kind_of(message), count, int(match[1]) if match else None)


def kind_of(message: str) -> Kind | None:
    """Say what a message of Flagger's is about; None where it decides nothing."""
    return next((kind for pattern, kind in _KINDS if re.match(pattern, message)), None)


def last_start(noted: Iterable[Noted], before: float) -> float | None:
    """Return when the last rollout that began before a moment began."""
    return max((each.at for each in noted if each.at <= before and each.kind == "started"), default=None)


def decisions(noted: Sequence[Noted], start: float, end: float, abort: str = "") -> tuple[Decision, ...]:
    """Return what was decided between two moments.

    Args:
        noted: All that was said, oldest first.
        start: Seconds since the epoch.
        end: As `start`.
        abort: Why a person asked for the end; empty where nobody did.
    """
    found: list[Decision] = []
    weight, last_halt, over = 0, "", False
    for each in noted:
        kind = each.kind if start - WHOLE_SECOND <= each.at <= end + WHOLE_SECOND else None
        # The end is told more than once: by the judge that asked for it, by Flagger that obeys, when it is done.
        if kind is None or (over and kind != "started"):
            continue
        weight = weight if each.weight is None else each.weight
        reason = each.message if each.own else plain(each.message, kind)
        if kind == "halted":
            last_halt = reason
        elif kind in ("rolled-back", "aborted"):
            if kind == "aborted" and not (abort or each.own):
                kind = "rolled-back"  # a rollback hook passed, and no person had asked for it
            reason = reason if each.own else (abort if kind == "aborted" else "") or last_halt or reason
            weight = 0
        over = kind in ("promoted", "rolled-back", "aborted")
        found.append(Decision(at=iso(each.at), kind=kind, weight=weight, reason=_times(reason, each.count)))
    return tuple(found)


def failed_checks(noted: Iterable[Noted], start: float, until: float) -> int:
    """Count the checks that failed between two moments."""
    return sum(each.count for each in noted if start <= each.at <= until and each.kind == "halted")


def plain(message: str, kind: Kind) -> str:
    """Say in one plain line what a message of Flagger's means."""
    if kind == "started":
        return "a new version is tried"
    if kind == "advanced":
        if match := _WEIGHT.search(message):
            return f"the candidate gets {match[1]} % of the traffic"
        return f"look {match[1]} was well" if (match := _ITERATION.search(message)) else message
    if kind == "promoted":
        return "the candidate takes over"
    if kind == "held":
        if "traffic increase" in message:
            return "not enough seen at this weight yet"
        return "waiting for the approval of the promotion" if "promotion" in message else "waiting for approval"
    if match := _NO_VALUES.search(message):
        return f"no data for {match[1]}"
    if match := _HALT.match(message):
        return match[1]
    return message


def _times(reason: str, count: int) -> str:
    return f"{reason} ({count} times)" if count > 1 else reason
