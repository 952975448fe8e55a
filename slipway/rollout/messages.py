"""What Flagger's sentences mean: the one table of them.

Flagger reports what it does in events, as English text only. The sentences are those of Flagger 1.41; the function
that writes each is named beside it (pkg/controller/scheduler.go, scheduler_hooks.go, scheduler_metrics.go). A ledger
stores the kind that is read here when an event arrives: afterwards the stored kind is believed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

#: What a rollout did: `held` waits for an approval, `halted` is a failed check.
Kind = Literal["started", "advanced", "held", "halted", "promoted", "rolled-back", "aborted"]


@dataclass(frozen=True)
class Meaning:
    """What one sentence means.

    Args:
        plain: It in plain words.
        kind: What the rollout did; None where nothing was decided.
        phase: Flagger's phase from then on; empty where the sentence does not tell. The phase that Flagger sends along
            with an event is the one before.
        weight: Percent of the traffic that the candidate has from then on; None where the sentence does not tell.
        idle: Whether it is repeated at each look, to say that nothing happened.
    """

    plain: str
    kind: Kind | None = None
    phase: str = ""
    weight: int | None = None
    idle: bool = False


@dataclass(frozen=True)
class _Sentence:
    """One row: `says` is the plain text, with the groups of the pattern; None takes the sentence itself."""

    pattern: str
    kind: Kind | None
    says: str | None = None
    phase: str = ""
    idle: bool = False


#: The first that fits counts. `Halt` and failing queries are failed checks (runAnalysis counts them).
_SENTENCES = (
    # checkCanaryStatus; advanceCanary, where the target changes in mid-rollout.
    _Sentence(r"New revision detected! ", "started", "a new version is tried", "Progressing"),
    # runCanary.
    _Sentence(
        r"Advance \S+ canary weight (?P<weight>\d+)",
        "advanced",
        "the candidate gets {weight} % of the traffic",
        "Progressing",
    ),
    # runAB, runBlueGreen.
    _Sentence(r"Advance \S+ canary iteration (?P<look>\S+)", "advanced", "look {look} was well", "Progressing"),
    # runBlueGreen.
    _Sentence(
        r"(Stop traffic mirroring and route|Routing) all traffic to canary",
        "advanced",
        "the candidate gets all of the traffic",
        "Progressing",
    ),
    # runConfirmTrafficIncreaseHooks, at each look; the judge's own entry has the reason.
    _Sentence(
        r"Halt \S+ advancement waiting for traffic increase approval",
        "held",
        "not enough seen at this weight yet",
        "Progressing",
        idle=True,
    ),
    # runConfirmPromotionHooks.
    _Sentence(
        r"Halt \S+ advancement waiting for promotion approval",
        "held",
        "waiting for the approval of the promotion",
        "WaitingPromotion",
    ),
    # runConfirmRolloutHooks.
    _Sentence(r"Halt \S+ advancement waiting for approval", "held", "waiting for approval", "Waiting"),
    # runMetricChecks, runBuiltinMetricChecks, runPreRolloutHooks, runAnalysis.
    _Sentence(
        r"Halt advancement no values found for (custom metric|metric): (?P<metric>[^:]+)",
        "halted",
        "no data for {metric}",
    ),
    _Sentence(r"Halt (\S+ )?advancement (?P<why>.+)", "halted", "{why}"),
    _Sentence(r"(Metric query failed|Metric template |Prometheus query failed|Error (fetching|building) )", "halted"),
    # runCanary, runAB, runBlueGreen, shouldSkipAnalysis: next the primary selects the candidate.
    _Sentence(r"Copying \S+ template spec to ", "promoted", "the candidate takes over", "Promoting"),
    # runPromotionTrafficShift.
    _Sentence(r"Routing all traffic to primary", None, None, "Finalising"),
    # advanceCanary; shouldSkipAnalysis.
    _Sentence(r"Promotion completed! ", "promoted", "the candidate takes over", "Succeeded"),
    # advanceCanary says so when a rollback hook passes, whether the judge or an operator wanted it; rollback.
    _Sentence(r"Rolling back |Canary failed! ", "rolled-back", None, "Failed"),
    # runRollbackHooks, at each look.
    _Sentence(r"Rollback hook \S+ not signaling a rollback", None, idle=True),
)
_TABLE = tuple((re.compile(each.pattern), each) for each in _SENTENCES)


def read(message: str) -> Meaning:
    """Return what a sentence means; one that is not in the table decides nothing."""
    for pattern, sentence in _TABLE:
        if match := pattern.match(message):
            groups = match.groupdict()
            plain = message if sentence.says is None else sentence.says.format(**groups)
            weight = int(groups["weight"]) if "weight" in groups else None
            return Meaning(plain, sentence.kind, sentence.phase, weight, sentence.idle)
    return Meaning(message)
