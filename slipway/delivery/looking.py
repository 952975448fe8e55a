"""What a live view looks at: the present rollouts of some models."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from slipway.delivery import state
from slipway.delivery.collect import collect
from slipway.delivery.record import RolloutRecord
from slipway.environment import Environment
from slipway.kube import Kube
from slipway.prometheus import Prometheus

#: The target has moved, or the model is new: what can be collected is the rollout before.
_NOT_BEGUN = frozenset({"absent", "starting", "pending"})


def looker(
    kube: Kube, prometheus: Prometheus, environment: Environment, models: Iterable[str]
) -> Callable[[], dict[str, RolloutRecord]]:
    """Return what reads the rollouts that have begun, by model; one that has ended is not read again."""
    names, ended = tuple(models), dict[str, RolloutRecord]()

    def look() -> dict[str, RolloutRecord]:
        waiting = [name for name in names if name not in ended]
        found = state.read(kube, environment.namespace, waiting) if waiting else {}
        now, running = time.time(), dict[str, RolloutRecord]()
        for name, seen in found.items():
            if seen.situation(now) in _NOT_BEGUN:
                continue
            record = collect(kube, prometheus, environment, name)
            (running if record.outcome == "running" else ended)[name] = record
        return {**ended, **running}

    return look
