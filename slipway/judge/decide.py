"""Answers what Flagger asks, from what was counted.

Everything here is pure. Whatever cannot be seen is answered so that no traffic moves towards the candidate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slipway.judge.counts import Counts, Servers, Tally
from slipway.judge.evidence import Signal, Verdict, Window
from slipway.judge.evidence import verdict as weigh
from slipway.judge.run import Run
from slipway.rollout.observed import SETTLED
from slipway.rollout.policy import LIMIT, Policy

#: By the definition of the quantiles: the share of requests that may be slower.
SLOW_P95, SLOW_P99 = 0.05, 0.01
#: How a promotion is allowed.
VETTED = "may be promoted"


@dataclass(frozen=True)
class Look:
    """What there was to see at one moment.

    Args:
        run: The rollout.
        policy: What the candidate is held to.
        now: Seconds since the epoch.
        counts: None where Prometheus could not be asked.
        servers: The candidate's, the stable version's; None as `counts`.
        trouble: Why something could not be seen; empty where all could.
        vetted: Whether what users have was allowed to them in this very rollout: Flagger was then stopped between
            promoting it and saying so, and does both again.
    """

    run: Run
    policy: Policy
    now: float
    counts: Counts | None = None
    servers: tuple[Servers, Servers] | None = None
    trouble: str = ""
    vetted: bool = False


@dataclass(frozen=True)
class Answer:
    """Yes or no, with one line for people."""

    yes: bool
    reason: str


@dataclass(frozen=True)
class Finding:
    """What is known about a candidate; `verdict` is None where nothing can be said, which fails a check."""

    verdict: Verdict | None
    reason: str

    @property
    def condemns(self) -> bool:
        """Tell whether the candidate must go."""
        return self.verdict is not None and (self.verdict.broken or self.verdict.e_value > LIMIT)


def signals(policy: Policy, counts: Counts) -> Iterator[Signal]:
    """Yield the signals of a policy; which they are depends on the policy alone."""
    pairs = counts.pairs()

    def windows(total: str, bad: str) -> tuple[Window, ...]:
        return tuple(
            # The scrape of a server may lie between the increments of its two counters.
            Window(*(each for side in pair for each in (of(side, total), min(of(side, bad), of(side, total)))))
            for pair in pairs
            if of(pair[0], total) or of(pair[1], total)
        )

    def of(tally: Tally, name: str) -> int:
        return int(getattr(tally, name))

    yield Signal("errors", windows("requests", "failed"), 1 - policy.success_rate_percent / 100)
    yield Signal("slow-p95", windows("timed", "slow_p95"), SLOW_P95)
    if policy.latency_p99_ms is not None:
        yield Signal("slow-p99", windows("timed", "slow_p99"), SLOW_P99)
    if policy.correct_percent:
        yield Signal("wrong", windows("labelled", "wrong"), 1 - policy.correct_percent / 100)


def finding(look: Look) -> Finding:
    """Weigh what was seen."""
    run = look.run
    if run.candidate is None and look.vetted:
        return Finding(weigh(()), f"{run.stable}: users have it already")
    if run.candidate is None:
        return Finding(None, f"{run.model}: the target selects what users have: there is nothing to judge")
    if run.phase in SETTLED or run.started is None:
        return Finding(None, f"{run.candidate}: no rollout is under way ({run.phase or 'no phase yet'})")
    if run.moved:
        return Finding(None, f"{run.candidate}: the target has just moved to it: nothing is known yet")
    if look.counts is None or look.servers is None:
        return Finding(None, f"{run.candidate}: no data: {look.trouble}")
    verdict = weigh(tuple(signals(look.policy, look.counts)))
    if trouble := _blind(look, look.counts, *look.servers):
        # What was counted before still condemns.
        seen = Finding(verdict, f"{run.candidate}: {verdict.reason}")
        return seen if seen.condemns else Finding(None, f"{run.candidate}: {trouble}")
    return Finding(verdict, f"{run.candidate}: {verdict.reason}")


def _blind(look: Look, counts: Counts, canary: Servers, primary: Servers) -> str:
    """Say why a side cannot be judged; empty where both can."""
    run = look.run
    if canary.down:
        return f"its server {canary.down[0]} does not answer Prometheus"
    if counts.restarted:
        return f"its server {counts.restarted[0]} was started anew just now"
    if (run.weight > 0 or run.mirrored or look.policy.shadow) and not canary.up:
        return "no data: Prometheus has scraped none of its servers lately"
    if run.weight < 100 and not primary.up:
        why = "no server of {} answers Prometheus" if primary.down else "Prometheus has scraped no server of {} lately"
        return f"no data: {why.format(run.stable)}"
    return ""


def rollback(look: Look) -> Answer:
    """Say whether the candidate must go at once."""
    run = look.run
    if run.aborted:
        return Answer(True, f"{run.candidate}: aborted: {run.aborted}")
    if run.candidate is None and run.started is not None and run.stable is not None and not look.vetted:
        return Answer(True, f"{run.model}: the target is back at {run.stable}, which users have: nothing to try")
    found = finding(look)
    return Answer(found.condemns, found.reason)


def confirm_rollout(look: Look) -> Answer:
    """Say whether a rollout may begin."""
    run = look.run
    if run.candidate is None:
        return Answer(True, f"{run.model}: the target selects what users have")
    if run.aborted:
        # Before this yes Flagger asks nobody whether to roll back: the rollout would stay open for ever. After it the
        # rollback hook comes first, so the candidate gets no traffic.
        return Answer(True, f"{run.candidate}: aborted: {run.aborted}")
    if not run.ready:
        return Answer(False, f"{run.candidate}: waits until its InferenceService is Ready")
    return Answer(True, f"{run.candidate}: its InferenceService is Ready")


def confirm_traffic_increase(look: Look) -> Answer:
    """Say whether the candidate may have more traffic; "not enough yet" holds, it does not fail."""
    run = look.run
    if stop := _doubt(look):
        return stop
    if run.candidate is None:
        return Answer(True, f"{run.stable}: users have it already")
    if run.weight == 0:
        return Answer(True, f"{run.candidate}: may have its first traffic")
    assert look.counts is not None
    asked, wanted = look.counts.since(run.since)[0].requests, look.policy.min_requests
    left = run.since + look.policy.pauses.get(str(run.weight), 0) - look.now
    if asked < wanted:
        return Answer(False, f"{run.candidate}: held at {run.weight}%: asked {asked} times there, {wanted} are needed")
    if left > 0:
        return Answer(False, f"{run.candidate}: held at {run.weight}%: its pause ends in {left:.0f} s")
    return Answer(True, f"{run.candidate}: asked {asked} times at {run.weight}%: may have more")


def confirm_promotion(look: Look) -> Answer:
    """Say whether users may have the candidate for good."""
    run, policy = look.run, look.policy
    if stop := _doubt(look):
        return stop
    if run.candidate is None:
        return Answer(True, f"{run.stable}: users have it already")
    if policy.shadow:
        said = finding(look).reason.partition(": ")[2]
        return Answer(False, f"{run.candidate}: a shadow, users never get it: {said}")
    if run.switches and run.weight == 0:
        return Answer(True, f"{run.candidate}: may have its first traffic")
    assert look.counts is not None
    assert run.started is not None
    seen = look.counts.since(run.started)[0]
    if seen.requests < policy.min_requests:
        return Answer(
            False, f"{run.candidate}: held before promotion: asked {seen.requests} times, {policy.min_requests} needed"
        )
    if seen.labelled < policy.min_labels:
        return Answer(
            False,
            f"{run.candidate}: held before promotion: {seen.labelled} of its answers have a label,"
            f" {policy.min_labels} are needed",
        )
    return Answer(True, f"{run.candidate}: {VETTED}: {finding(look).reason.partition(': ')[2]}")


def _doubt(look: Look) -> Answer | None:
    """Say no where the candidate is condemned, cannot be seen, or is not what was tried."""
    found = finding(look)
    if found.verdict is None or found.condemns:
        return Answer(False, found.reason)
    if look.run.aborted:
        return Answer(False, f"{look.run.candidate}: aborted: {look.run.aborted}")
    return None


def waits_for(look: Look) -> str:
    """Say what keeps a rollout where it is; empty where nothing does."""
    run = look.run
    if run.started is None:
        return ""
    if run.phase == "Waiting":
        answer = confirm_rollout(look)
    elif run.phase == "WaitingPromotion":
        answer = confirm_promotion(look)
    elif run.phase == "Progressing":
        answer = confirm_traffic_increase(look) if run.steps else confirm_promotion(look)
    else:
        return ""
    return "" if answer.yes else answer.reason
