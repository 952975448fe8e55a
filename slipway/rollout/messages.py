"""The table of Flagger's event messages and their meaning.

Flagger reports what it does in events, as English text only. The sentences are those of Flagger 1.41; the function
that writes each is named beside it (pkg/controller/scheduler.go, scheduler_hooks.go, scheduler_metrics.go). The ledger
stores the kind that is read here when an event arrives; readers of the ledger use the stored kind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

#: Event of a rollout: `held` waits for an approval, `halted` is a failed check.
Kind = Literal["started", "advanced", "held", "halted", "promoted", "rolled-back", "aborted"]


@dataclass(frozen=True)
class Meaning:
    """Meaning of one message."""

    #: The message in plain words.
    plain: str
    #: None where nothing was decided.
    kind: Kind | None = None
    #: Flagger's phase from then on, if known. The phase that Flagger sends with an event is the previous one.
    phase: str = ""
    #: Percent of the traffic that the candidate has from then on; None if unknown.
    weight: int | None = None
    #: Whether Flagger repeats the message at each check although nothing happens.
    idle: bool = False


#: Pattern, kind, phase and plain words with the groups of the pattern. The first match counts.
_SENTENCES: tuple[tuple[str, Kind | None, str, str], ...] = (
    # checkCanaryStatus; advanceCanary, where the target changes in mid-rollout.
    ("New revision detected! ", "started", "Progressing", "a new version is tried"),
    # runCanary; runAB, runBlueGreen; runBlueGreen.
    (
        r"Advance \S+ canary weight (?P<weight>\d+)",
        "advanced",
        "Progressing",
        "the candidate gets {weight} % of the traffic",
    ),
    (r"Advance \S+ canary iteration (?P<look>\S+)", "advanced", "Progressing", "look {look} was well"),
    (".*[Rr]out(e|ing) all traffic to canary", "advanced", "Progressing", "the candidate gets all of the traffic"),
    # runConfirmTrafficIncreaseHooks, runConfirmPromotionHooks, runConfirmRolloutHooks.
    (r"Halt \S+ advancement waiting for traffic increase", "held", "Progressing", "not enough seen at this weight yet"),
    (
        r"Halt \S+ advancement waiting for promotion",
        "held",
        "WaitingPromotion",
        "waiting for the approval of the promotion",
    ),
    (r"Halt \S+ advancement waiting for approval", "held", "Waiting", "waiting for approval"),
    # runMetricChecks, runBuiltinMetricChecks; those and runPreRolloutHooks, runAnalysis; runMetricChecks.
    (r"Halt advancement no values found for (custom )?metric: (?P<metric>[^:]+)", "halted", "", "no data for {metric}"),
    (r"Halt (\S+ )?advancement (?P<why>.+)", "halted", "", "{why}"),
    ("(?P<all>(Metric (query|template)|Prometheus query failed|Error (fetching|building)).*)", "halted", "", "{all}"),
    # runCanary, runAB, runBlueGreen, shouldSkipAnalysis: next the primary selects the candidate.
    (r"Copying \S+ template spec to ", "promoted", "Promoting", "the candidate takes over"),
    # runPromotionTrafficShift.
    ("(?P<all>Routing all traffic to primary)", None, "Finalising", "{all}"),
    # advanceCanary; shouldSkipAnalysis.
    ("Promotion completed! ", "promoted", "Succeeded", "the candidate takes over"),
    # advanceCanary and rollback; the first says so whenever a rollback hook passes, for the judge as for an operator.
    ("(?P<all>(Rolling back|Canary failed!) .*)", "rolled-back", "Failed", "{all}"),
)
#: Repeated at each check: runConfirmTrafficIncreaseHooks (the judge's own entry has the reason), runRollbackHooks.
_IDLE = re.compile(r"Halt \S+ advancement waiting for traffic increase|Rollback hook \S+ not signaling a rollback")
_TABLE = tuple((re.compile(pattern), kind, phase, plain) for pattern, kind, phase, plain in _SENTENCES)


def read(message: str) -> Meaning:
    """Return the meaning of a message; an unknown message decides nothing."""
    idle = bool(_IDLE.match(message))
    for pattern, kind, phase, plain in _TABLE:
        if match := pattern.match(message):
            groups = match.groupdict()
            weight = int(groups["weight"]) if "weight" in groups else None
            return Meaning(plain.format(**groups), kind, phase, weight, idle)
    return Meaning(message, idle=idle)
