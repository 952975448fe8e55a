"""Delivery metrics, counted over the whole ledger, which outlives the judge.

Rates and means are computed by PromQL (slipway/platform/rules.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from slipway.judge.ledger import Entry, Ledger
from slipway.series import ROLLOUTS

#: Outcomes of a rollout.
OUTCOMES = ("promoted", "rolled-back", "aborted")
#: Steps that move traffic, and those that a person takes.
_STEPS, _BY_HAND = frozenset({"started", "advanced", *OUTCOMES}), frozenset({"aborted"})
_MODEL = ("namespace", "model")


@dataclass
class Delivered:
    """Totals of one model's rollouts."""

    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    #: Seconds of each promotion and of each recovery.
    promotions: list[float] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    #: Time of the last promotion; None before the first.
    promoted_at: float | None = None
    by_machine: int = 0
    by_hand: int = 0


def delivered(entries: Iterable[Entry]) -> dict[tuple[str, str], Delivered]:
    """Return the totals by namespace and model, from entries in order of time.

    A promotion lasts from the start of the rollout until all users have the version. A recovery lasts from the first
    failed check until the traffic is back; without a failed check it takes no time. The judge and Flagger both note an
    end: of two in a row only the first counts.
    """
    found: dict[tuple[str, str], Delivered] = defaultdict(Delivered)
    started, trouble = dict[tuple[str, str], float](), dict[tuple[str, str], float]()
    for entry in entries:
        key = (entry.namespace, entry.model)
        if entry.kind == "started":
            started[key] = entry.time
            trouble.pop(key, None)
        elif entry.kind == "halted":
            trouble.setdefault(key, entry.time)
        if entry.kind not in _STEPS:
            continue
        of = found[key]
        if entry.kind in OUTCOMES:
            if key not in started:
                continue
            began = started.pop(key)
            of.outcomes[entry.kind] += 1
            if entry.kind == "promoted":
                of.promotions.append(entry.time - began)
                of.promoted_at = entry.time
            else:
                of.recoveries.append(entry.time - trouble.get(key, entry.time))
        if entry.kind in _BY_HAND:
            of.by_hand += 1
        else:
            of.by_machine += 1
    return dict(found)


class DeliveryCollector(Collector):
    """Prometheus collector that reads the ledger at each scrape."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        """Yield all metric families."""
        rollouts = CounterMetricFamily(ROLLOUTS, "Rollouts that ended.", labels=(*_MODEL, "outcome"))
        steps = CounterMetricFamily("slipway_delivery_steps", "Steps of rollouts.", labels=(*_MODEL, "by"))
        promotion = SummaryMetricFamily(
            "slipway_promotion_seconds", "From the start of a rollout to its promotion.", labels=_MODEL
        )
        recovery = SummaryMetricFamily(
            "slipway_recovery_seconds", "From the first failed check to the rollback.", labels=_MODEL
        )
        since = GaugeMetricFamily("slipway_promoted_timestamp_seconds", "Time of the last promotion.", labels=_MODEL)
        for key, of in delivered(self._ledger.entries()).items():
            for outcome, count in of.outcomes.items():
                rollouts.add_metric((*key, outcome), count)
            steps.add_metric((*key, "machine"), of.by_machine)
            steps.add_metric((*key, "person"), of.by_hand)
            promotion.add_metric(key, len(of.promotions), sum(of.promotions))
            recovery.add_metric(key, len(of.recoveries), sum(of.recoveries))
            if of.promoted_at is not None:
                since.add_metric(key, of.promoted_at)
        yield from (rollouts, steps, promotion, recovery, since)
