"""Pure functions that answer Flagger from counts. Without data, no traffic moves towards the candidate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slipway.judge.counts import Counts, Servers, Tally
from slipway.judge.evidence import Signal, Verdict, Window
from slipway.judge.evidence import verdict as weigh
from slipway.judge.run import Run
from slipway.rollout.observed import SETTLED
from slipway.rollout.policy import LIMIT, Policy

#: What is counted for each signal of a policy: all requests, and the bad among them (fields of a tally).
COUNTED = {
    "errors": ("requests", "failed"),
    "slow-p95": ("timed", "slow_p95"),
    "slow-p99": ("timed", "slow_p99"),
    "wrong": ("labelled", "wrong"),
}


@dataclass(frozen=True)
class Look:
    """Observation of a rollout at one moment."""

    run: Run
    policy: Policy
    #: Seconds since the epoch.
    now: float
    #: None where Prometheus was not asked or did not answer.
    counts: Counts | None = None
    #: Of the candidate and of the stable version; None as `counts`.
    servers: tuple[Servers, Servers] | None = None
    #: Reason for missing data, if any.
    trouble: str = ""
    #: Whether the judge allowed the live version to all users in this rollout. Flagger was then stopped between the
    #: promotion and its report, and does both again.
    vetted: bool = False


@dataclass(frozen=True)
class Answer:
    """Yes or no, with the reason in one line."""

    yes: bool
    reason: str
    #: Subject in a word: the same for the same answer at another look, though numbers in the reason differ.
    cause: str = ""
    #: Whether it allows the candidate to all users.
    vets: bool = False


@dataclass(frozen=True)
class Finding:
    """Result for a candidate; without data `verdict` is None, which fails a check. `cause` is as in an answer."""

    verdict: Verdict | None
    reason: str
    cause: str = ""

    @property
    def condemns(self) -> bool:
        """Whether the candidate must be rolled back."""
        return self.verdict is not None and (self.verdict.broken or self.verdict.e_value > LIMIT)


def signals(policy: Policy, counts: Counts) -> Iterator[Signal]:
    """Yield the signals of a policy; their number depends on the policy alone."""
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

    for name, allowed in policy.allowed().items():
        yield Signal(name, windows(*COUNTED[name]), allowed)


def finding(look: Look) -> Finding:
    """Weigh the counts of a look."""
    run = look.run
    if run.candidate is None and look.vetted:
        return Finding(weigh(()), f"{run.stable}: users have it already")
    if run.candidate is None:
        return Finding(
            None, f"{run.model}: the target selects what users have: there is nothing to judge", "no-candidate"
        )
    if run.phase in SETTLED or run.started is None:
        return Finding(None, f"{run.candidate}: no rollout is under way ({run.phase or 'no phase yet'})", "no-rollout")
    if run.moved:
        return Finding(None, f"{run.candidate}: the target has just moved to it: nothing is known yet", "moved")
    if look.counts is None or look.servers is None:
        return Finding(None, f"{run.candidate}: no data: {look.trouble}", "no-data")
    verdict = weigh(tuple(signals(look.policy, look.counts)))
    signal = verdict.strongest.signal if verdict.strongest else ""
    seen = Finding(verdict, f"{run.candidate}: {verdict.reason}", signal)
    if seen.condemns:
        # Earlier counts condemn, although a side cannot be seen now.
        return seen
    cause, trouble = _blind(look, look.counts, *look.servers)
    return Finding(None, f"{run.candidate}: {trouble}", cause) if cause else seen


def _blind(look: Look, counts: Counts, canary: Servers, primary: Servers) -> tuple[str, str]:
    """Return cause and reason for which a side cannot be judged; both empty where both sides can."""
    run = look.run
    if canary.down:
        return f"down {canary.down[0]}", f"its server {canary.down[0]} does not answer Prometheus"
    if counts.restarted:
        return f"restarted {counts.restarted[0]}", f"its server {counts.restarted[0]} was restarted just now"
    if (run.weight > 0 or run.mirrored or look.policy.shadow) and not canary.up:
        return "unscraped candidate", "no data: Prometheus has scraped none of its servers lately"
    if run.weight < 100 and not primary.up:
        why = "no server of {} answers Prometheus" if primary.down else "Prometheus has scraped no server of {} lately"
        return "unscraped primary", f"no data: {why.format(run.stable)}"
    return "", ""


def rollback(look: Look) -> Answer:
    """Decide whether the candidate must be rolled back now."""
    run = look.run
    if run.aborted:
        return Answer(True, f"{run.candidate}: aborted: {run.aborted}")
    if run.candidate is None and run.started is not None and run.stable is not None and not look.vetted:
        return Answer(True, f"{run.model}: the target is back at {run.stable}, which users have: nothing to try")
    found = finding(look)
    return Answer(found.condemns, found.reason, found.cause)


def confirm_rollout(look: Look) -> Answer:
    """Decide whether a rollout may begin."""
    run = look.run
    if run.candidate is None:
        return Answer(True, f"{run.model}: the target selects what users have")
    if run.aborted:
        # Before this yes Flagger does not call the rollback webhook, and the rollout would never end. After it that
        # webhook comes first, so the candidate gets no traffic.
        return Answer(True, f"{run.candidate}: aborted: {run.aborted}")
    if not run.ready:
        return Answer(False, f"{run.candidate}: waits until its InferenceService is Ready", "not-ready")
    return Answer(True, f"{run.candidate}: its InferenceService is Ready")


def confirm_traffic_increase(look: Look) -> Answer:
    """Decide whether the candidate may have more traffic; a no holds the rollout and fails no check."""
    run = look.run
    if settled := _settled(look):
        return settled
    if run.weight == 0:
        return Answer(True, f"{run.candidate}: may have its first traffic")
    assert look.counts is not None
    asked, wanted = look.counts.since(run.since)[0].requests, look.policy.min_requests
    left = run.since + look.policy.pauses.get(str(run.weight), 0) - look.now
    if asked < wanted:
        reason = f"{run.candidate}: held at {run.weight}%: asked {asked} times there, {wanted} are needed"
        return Answer(False, reason, "requests")
    if left > 0:
        return Answer(False, f"{run.candidate}: held at {run.weight}%: its pause ends in {left:.0f} s", "pause")
    return Answer(True, f"{run.candidate}: asked {asked} times at {run.weight}%: may have more")


def confirm_promotion(look: Look) -> Answer:
    """Decide whether the candidate may be promoted."""
    run, policy = look.run, look.policy
    if settled := _settled(look):
        return settled
    reason = finding(look).reason.partition(": ")[2]
    if policy.shadow:
        return Answer(False, f"{run.candidate}: a shadow, users never get it: {reason}", "shadow")
    if run.switches and run.weight == 0:
        return Answer(True, f"{run.candidate}: may have its first traffic")
    assert look.counts is not None
    assert run.started is not None
    seen = look.counts.since(run.started)[0]
    if seen.requests < policy.min_requests:
        return Answer(
            False,
            f"{run.candidate}: held before promotion: asked {seen.requests} times, {policy.min_requests} needed",
            "requests",
        )
    if seen.labelled < policy.min_labels:
        return Answer(
            False,
            f"{run.candidate}: held before promotion: {seen.labelled} of its answers have a label,"
            f" {policy.min_labels} are needed",
            "labels",
        )
    return Answer(True, f"{run.candidate}: may be promoted: {reason}", vets=True)


def _settled(look: Look) -> Answer | None:
    """Return the answer that needs no counts: no for a candidate that may not go on, yes where users have it."""
    found = finding(look)
    if found.verdict is None or found.condemns:
        return Answer(False, found.reason, found.cause)
    if look.run.aborted:
        return Answer(False, f"{look.run.candidate}: aborted: {look.run.aborted}", "aborted")
    return None if look.run.candidate is not None else Answer(True, f"{look.run.stable}: users have it already")


def waits_for(look: Look) -> str:
    """Return the reason for which a rollout waits; empty where it does not."""
    questions = {
        "Waiting": confirm_rollout,
        "WaitingPromotion": confirm_promotion,
        "Progressing": confirm_traffic_increase if look.run.steps else confirm_promotion,
    }
    if look.run.started is None or look.run.phase not in questions:
        return ""
    answer = questions[look.run.phase](look)
    return "" if answer.yes else answer.reason
