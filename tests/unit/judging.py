"""A rollout as the judge sees it, for tests to vary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from slipway.judge.counts import Counts, Servers, Tally
from slipway.judge.decide import Look
from slipway.judge.run import Run
from slipway.rollout.policy import Policy

START = 1_000_000.0
POLICY = Policy(success_rate_percent=99, latency_p95_ms=250, min_requests=20)
RUN = Run(
    namespace="models",
    model="churn",
    phase="Progressing",
    candidate="churn-v2",
    candidate_version=2,
    stable="churn-v1",
    stable_version=1,
    started=START,
    since=START + 20,
    weight=50,
    mirrored=False,
    interval=10.0,
    ready=True,
    moved=False,
    aborted="",
    failed_checks=0,
    threshold=3,
    steps=(50, 100),
    switches=False,
)


def a_look(canary: Mapping[str, int] | None = None, primary: Mapping[str, int] | None = None, **changes: Any) -> Look:
    """Look at a rollout with three windows, each of which counted that; other keys change run, policy or look."""
    policy = POLICY.model_copy(update={key: changes.pop(key) for key in list(changes) if key in Policy.model_fields})
    run = replace(RUN, **{key: changes.pop(key) for key in list(changes) if key in Run.__annotations__})
    fine = {"requests": 100, "timed": 100, "labelled": 10, "right": 10}
    times = tuple(START + 10 * index for index in range(4))
    sides = [(Tally(**{**fine, **(side or {})}),) * 3 for side in (canary, primary)]
    counts = Counts(times, times, sides[0], sides[1], {"p95": 0.25}, changes.pop("restarted", ()))
    look = Look(run, policy, START + 30, counts, (Servers(1), Servers(1)))
    return replace(look, **changes)
