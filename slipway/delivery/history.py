"""What was said while a rollout ran, as decisions.

Two sources say it in Flagger's own words (pkg/controller): the judge's ledger, which has each message with its time, or
the Events of Kubernetes, which fold equal messages into one with a count. The ledger has the judge's reasons besides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.delivery.record import Decision, Kind
from slipway.delivery.state import epoch, iso


@dataclass(frozen=True)
class Noted:
    """One message.

    Args:
        at: Seconds since the epoch.
        message: What was said.
        reason: The judge's own line about it; empty where it gave none.
        count: How often it was said since the last one of its kind in this list.
    """

    at: float
    message: str
    reason: str = ""
    count: int = 1


#: Flagger's words, in the order in which they are tried (pkg/controller/scheduler*.go, v1.41).
_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"New revision detected! (Scaling up|Restarting analysis)", "started"),
    (r"Advance \S+ canary (weight|iteration) ", "advanced"),
    (r"Halt .*waiting for .*approval", "held"),
    (r"Halt |Metric query failed|Error |Prometheus query failed", "halted"),
    (r"Copying \S+ template spec to ", "promoted"),
    (r"Rolling back .*manual webhook invoked", "aborted"),
    (r"Rolling back |Canary failed!", "rolled-back"),
)
_WEIGHT = re.compile(r"canary weight (\d+)")
_ITERATION = re.compile(r"canary iteration (\S+)")
_NO_VALUES = re.compile(r"no values found for (?:custom metric|metric): ([^:]+)")
_HALT = re.compile(r"Halt \S+ advancement (.*)")


def noted_in_events(events: Iterable[Mapping[str, Any]]) -> list[Noted]:
    """Read Kubernetes Events of one Canary, oldest first; a folded one counts at its first time, then at its last."""
    found = []
    for event in events:
        first = epoch(event.get("firstTimestamp") or event.get("eventTime"))
        last, count = epoch(event.get("lastTimestamp")) or first, int(event.get("count") or 1)
        found.append(Noted(first, event.get("message", "")))
        if count > 1 and last > first:
            found.append(Noted(last, event.get("message", ""), count=count - 1))
    return sorted(found, key=lambda each: each.at)


def noted_in_ledger(entries: Iterable[Mapping[str, Any]], namespace: str, model: str) -> list[Noted]:
    """Read the judge's ledger, oldest first; the judge's own line about a hold or a fall stands in `reason`."""
    found = [
        Noted(epoch(str(entry["at"])), str(entry.get("message", "")), str(entry.get("reason") or ""))
        for entry in entries
        if entry.get("at") and entry.get("namespace") == namespace and entry.get("model") == model
    ]
    return sorted(found, key=lambda each: each.at)


def kind_of(message: str) -> Kind | None:
    """Say what a message of Flagger's is about; None where it decides nothing."""
    return next((kind for pattern, kind in _KINDS if re.match(pattern, message)), None)


def last_start(noted: Iterable[Noted], before: float) -> float | None:
    """Return when the last rollout that began before a moment began."""
    return max((each.at for each in noted if each.at <= before and kind_of(each.message) == "started"), default=None)


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
        kind = kind_of(each.message) if start <= each.at <= end else None
        if kind is None or (over and kind in ("rolled-back", "aborted", "halted", "held")):
            continue
        if match := _WEIGHT.search(each.message):
            weight = int(match[1])
        reason = each.reason or plain(each.message, kind)
        if kind == "halted":
            last_halt = reason
        if kind in ("rolled-back", "aborted"):
            over = True
            if kind == "aborted" and not abort:
                kind = "rolled-back"  # the judge itself has asked for it
            reason = abort if kind == "aborted" else each.reason or last_halt or reason
            weight = 0
        found.append(Decision(at=iso(each.at), kind=kind, weight=weight, reason=_times(reason, each.count)))
    return tuple(found)


def failed_checks(noted: Iterable[Noted], start: float, until: float) -> int:
    """Count the checks that failed between two moments."""
    return sum(each.count for each in noted if start <= each.at <= until and kind_of(each.message) == "halted")


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
