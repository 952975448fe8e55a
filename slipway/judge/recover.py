"""Recovery of ledger entries that were missed while the judge was away.

Three sources, none of them complete: Kubernetes Events (Flagger's event recorder merges them once there are more than
ten in ten minutes), the Canaries' status (the present only) and Prometheus' history of Flagger's weights (every step,
no reason). They are read in this order, each only for entries that are still missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from slipway.clients.kube import Kube
from slipway.clients.prometheus import Prometheus, Series
from slipway.judge.ledger import Entry, Ledger, of_message
from slipway.objects import Object
from slipway.rollout.canary import promoted
from slipway.rollout.cluster import CANARY
from slipway.times import epoch, stamp

#: Seconds within which Flagger may still report an event itself: it waits five for the answer.
GRACE = 10.0
#: Seconds by which two sources of one event may differ: the API's times are whole seconds, scrapes are apart.
APART = 2.0
#: Seconds of Flagger's history to read at most; Kubernetes keeps Events no longer.
HISTORY = 3600.0
#: Seconds between two points of that history; Flagger's checks are at least ten seconds apart.
STEP = 5.0
#: Prefix that client-go's recorder puts before the last of merged events (tools/record/events_cache.go).
_MERGED = "(combined from similar events): "
_WEIGHTS = "flagger_canary_weight"


def recover(kube: Kube, prometheus: Prometheus, ledger: Ledger, now: float, since: float) -> int:
    """Add missing entries and return their number.

    The ledger is complete until `since`; `now` and `since` are seconds since the epoch.

    Raises:
        SlipwayError: The API server or Prometheus cannot be reached; entries that were found before are noted.
    """
    params = {"fieldSelector": "involvedObject.kind=Canary"}
    events = kube.request("GET", kube.url_of("v1", "Event"), params=params)["items"]
    added = sum(map(ledger.add, from_events(events, ledger.entries(), now)))
    canaries = kube.list(*CANARY)
    added += sum(map(ledger.add, from_status(canaries, ledger.entries(), now)))
    begin = max(since - GRACE - 2 * STEP, now - HISTORY)
    history = prometheus.query_range(_WEIGHTS, begin, now, STEP)
    names = {(canary["metadata"]["namespace"], canary["metadata"]["name"]) for canary in canaries}
    return added + sum(map(ledger.add, from_history(history, names, ledger.entries(), now)))


def from_events(events: Iterable[Object], entries: Iterable[Entry], now: float) -> Iterator[Entry]:
    """Yield Flagger's Kubernetes Events that the ledger lacks."""
    known = list(entries)
    for event in events:
        first, last = epoch(event.get("firstTimestamp")), epoch(event.get("lastTimestamp"))
        if first is None or last is None or last > now - GRACE:
            continue
        text, about = event.get("message", "").strip(), event["involvedObject"]
        message, count = text.removeprefix(_MERGED), int(event.get("count") or 1)
        if message != text:
            first, count = last, 1
        made = of_message(last, about["namespace"], about["name"], message, recovered=True)
        have = sum(
            entry.count
            for entry in known
            if (entry.namespace, entry.model, entry.message) == (about["namespace"], about["name"], message)
            and first - APART <= entry.time <= last + APART
        )
        if made is not None and have < count:
            found = Entry(**{**vars(made), "count": count - have})
            known.append(found)
            yield found


def from_status(canaries: Iterable[Object], entries: Iterable[Entry], now: float) -> Iterator[Entry]:
    """Yield the missing start, failed checks and end of each Canary's last rollout."""
    known = list(entries)
    for canary in canaries:
        namespace, model = canary["metadata"]["namespace"], canary["metadata"]["name"]
        of = [entry for entry in known if (entry.namespace, entry.model) == (namespace, model)]
        yield from _from_status(namespace, model, canary.get("status") or {}, of, now)


def _from_status(
    namespace: str, model: str, status: Mapping[str, Any], known: list[Entry], now: float
) -> Iterator[Entry]:
    phase, moved = status.get("phase") or "", epoch(status.get("lastTransitionTime")) or now
    condition = promoted({"status": status})
    at = epoch(condition.get("lastTransitionTime"))
    if at is None or moved > now - GRACE or phase in ("", "Initializing", "Initialized", "Waiting"):
        return

    def noted(*kinds: str, since: float) -> int:
        return sum(entry.count for entry in known if entry.kind in kinds and entry.time >= since)

    def missed(moment: float, kind: str, message: str, count: int = 1) -> Entry:
        return Entry(stamp(moment), namespace, model, kind, message, phase, count=count, recovered=True)

    # The judge notes a rollback before Flagger does: in the same check, if Flagger runs.
    begin = max((entry.time for entry in known if entry.kind == "started" and entry.time < at), default=at - GRACE)
    if condition.get("status") == "Unknown":
        if not noted("started", since=at - APART):
            yield missed(at, "started", condition.get("message", ""))
        failed = int(status.get("failedChecks") or 0)
        if (lost := failed - noted("halted", since=at - APART)) > 0:
            yield missed(moved, "halted", f"{failed} checks have failed; the reasons were lost", lost)
    elif phase == "Failed" and not noted("rolled-back", "aborted", since=begin):
        yield missed(at, "rolled-back", condition.get("message", ""))
    elif phase == "Succeeded" and not noted("promoted", since=begin):
        yield missed(at, "promoted", condition.get("message", ""))


def from_history(
    history: Iterable[Series], models: set[tuple[str, str]], entries: Iterable[Entry], now: float
) -> Iterator[Entry]:
    """Yield the increases of Flagger's exported weights that the ledger lacks."""
    known = list(entries)
    for series in history:
        # Prometheus renames a label of the exporter that its own discovery sets too, unless it is configured otherwise.
        namespace = series.labels.get("exported_namespace") or series.labels.get("namespace", "")
        model = series.labels.get("workload", "")
        if (namespace, model) not in models:
            continue
        of = [each for each in known if (each.namespace, each.model, each.kind) == (namespace, model, "advanced")]
        for (_, before), (at, weight) in pairwise(series.points):
            near = any(entry.weight in (None, int(weight)) and abs(entry.time - at) <= GRACE + 2 * STEP for entry in of)
            if weight > before and at <= now - GRACE and not near:
                message = f"Advance {model}.{namespace} canary weight {weight:.0f}"
                yield Entry(stamp(at), namespace, model, "advanced", message, weight=int(weight), recovered=True)
