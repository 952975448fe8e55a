"""The judge: answers Flagger's questions and notes its decisions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

from slipway.clients.kube import Kube
from slipway.clients.prometheus import Prometheus
from slipway.errors import SlipwayError
from slipway.judge import decide, run
from slipway.judge.counts import Tally, total
from slipway.judge.decide import Answer, Look
from slipway.judge.delivery import DeliveryCollector
from slipway.judge.evidence import verdict as weigh
from slipway.judge.ledger import Entry, Ledger, of_message
from slipway.judge.reader import Reader
from slipway.judge.run import Run
from slipway.rollout.policy import LIMIT, Policy
from slipway.series import EVIDENCE
from slipway.times import stamp

#: Endpoint to the function that answers it.
QUESTIONS: Mapping[str, Callable[[Look], Answer]] = {
    "confirm-rollout": decide.confirm_rollout,
    "confirm-traffic-increase": decide.confirm_traffic_increase,
    "confirm-promotion": decide.confirm_promotion,
    "rollback": decide.rollback,
}
#: Questions that need no counts.
_UNCOUNTED = {"confirm-rollout"}


@dataclass(frozen=True)
class Asked:
    """One question of Flagger about one model."""

    namespace: str
    model: str
    policy: Policy
    phase: str = ""


class Judge:
    """Answers to Flagger. Only the ledger is kept between two questions, so the process may be killed at any time."""

    def __init__(
        self, kube: Kube, prometheus: Prometheus, ledger: Ledger, clock: Callable[[], float] = time.time
    ) -> None:
        self.kube, self.reader, self.ledger, self.clock = kube, Reader(prometheus), ledger, clock
        self.metrics = CollectorRegistry()
        self.metrics.register(DeliveryCollector(ledger))
        self._answers = Counter(
            "slipway_judge_answers", "Answers given to Flagger.", ["question", "answer"], registry=self.metrics
        )
        self._evidence = Gauge(
            EVIDENCE,
            f"Evidence against the candidate of a rollout, at the last look; above {LIMIT:g} it is rolled back.",
            ["namespace", "model"],
            registry=self.metrics,
        )

    def look(self, namespace: str, model: str, policy: Policy | None = None, counted: bool = True) -> Look:
        """Read a rollout and its counts; `policy` is by default the Canary's, `counted` says whether to ask Prometheus.

        Raises:
            SlipwayError: The API server cannot be reached or has no such rollout.
        """
        seen, canary = run.read(self.kube, namespace, model)
        policy, now = policy or run.policy_of(canary), self.clock()
        if seen.started is not None and seen.candidate is None:
            return Look(seen, policy, now, vetted=self._vetted(seen))
        if not counted or seen.started is None:
            return Look(seen, policy, now)
        try:
            return Look(seen, policy, now, self.reader.read(seen, policy, now), self.reader.servers(seen, now))
        except SlipwayError as error:
            return Look(seen, policy, now, trouble=str(error))

    def answer(self, question: str, asked: Asked) -> Answer:
        """Answer a webhook and note the decision. Without data the answer is no; SlipwayError is never raised."""
        look = None
        try:
            look = self.look(asked.namespace, asked.model, asked.policy, question not in _UNCOUNTED)
            answer = QUESTIONS[question](look)
            if look.counts is not None:
                # Flagger asks for a rollback first: evidence that condemns a candidate would not be exported otherwise.
                self._weighed(asked, decide.finding(look))
        except SlipwayError as error:
            answer = Answer(False, str(error), "unseen")
        self._answers.labels(question, "yes" if answer.yes else "no").inc()
        if answer.yes and question == "rollback" and look and look.run.aborted:
            self._note(asked, look, "aborted", replace(answer, reason=look.run.aborted))
        elif answer.yes and question == "rollback":
            self._note(asked, look, "rolled-back", answer)
        elif not answer.yes and question != "rollback":
            self._note(asked, look, "held", answer)
        elif answer.vets:
            self._note(asked, look, "vetted", answer)
        return answer

    def evidence(self, asked: Asked) -> decide.Finding:
        """Weigh the counts of a candidate; without data there is no verdict."""
        try:
            found = decide.finding(self.look(asked.namespace, asked.model, asked.policy))
        except SlipwayError as error:
            found = decide.Finding(None, str(error))
        self._weighed(asked, found)
        self._answers.labels("evidence", "yes" if found.verdict and not found.condemns else "no").inc()
        return found

    def _weighed(self, asked: Asked, found: decide.Finding) -> None:
        if found.verdict is not None:
            self._evidence.labels(asked.namespace, asked.model).set(found.verdict.e_value)

    def event(self, namespace: str, model: str, phase: str, metadata: Mapping[str, Any]) -> None:
        """Note an event of Flagger. Raises ValueError for a malformed time."""
        at = float(metadata.get("timestamp") or 1000 * self.clock()) / 1000
        entry = of_message(at, namespace, model, str(metadata.get("eventMessage", "")), phase=phase)
        if entry is not None:
            self.ledger.add(entry)

    def verdict(self, namespace: str, model: str) -> dict[str, Any]:
        """Return everything that is known about a model's rollout, as JSON.

        Raises:
            SlipwayError: The API server cannot be reached or has no such rollout.
        """
        look = self.look(namespace, model)
        found, counts = decide.finding(look), look.counts
        signals = tuple(decide.signals(look.policy, counts)) if counts else ()
        both = (total(counts.canary), total(counts.primary)) if counts else (Tally(), Tally())
        here = counts.since(look.run.since) if counts else (Tally(), Tally())
        verdict = found.verdict
        return {
            "at": stamp(look.now),
            "run": _shown(look.run),
            "policy": look.policy.model_dump(),
            "counts": {
                "since_start": {"canary": vars(both[0]), "primary": vars(both[1])},
                "at_weight": {"canary": vars(here[0]), "primary": vars(here[1])},
                "latency_edges_seconds": dict(counts.edges) if counts else {},
            },
            "evidence": {
                "value": verdict.e_value if verdict else None,
                "limit": LIMIT,
                "broken": bool(verdict and verdict.broken),
                "strongest": vars(verdict.strongest) if verdict and verdict.strongest else None,
                "signals": {signal.name: weigh((signal,)).e_value for signal in signals},
            },
            "condemned": found.condemns,
            "waits_for": decide.waits_for(look),
            "reason": f"{look.run.candidate}: aborted: {look.run.aborted}" if look.run.aborted else found.reason,
        }

    def _vetted(self, seen: Run) -> bool:
        """Return whether the judge allowed the live version to all users in this rollout."""
        began = stamp(seen.started or 0.0)
        return any(
            (entry.kind, entry.run, entry.candidate) == ("vetted", began, seen.stable)
            for entry in self.ledger.entries(seen.namespace, seen.model)
        )

    def _note(self, asked: Asked, look: Look | None, kind: str, answer: Answer) -> None:
        """Note a decision once per weight of a rollout, however often Flagger asks."""
        seen, now = look.run if look else None, self.clock()
        began = stamp(seen.started) if seen and seen.started else ""
        entry = Entry(
            stamp(now),
            asked.namespace,
            asked.model,
            kind,
            answer.reason,
            phase=seen.phase if seen else asked.phase,
            weight=seen.weight if seen else None,
            candidate=(seen.candidate if seen else None) or "",
            run=began,
            cause=answer.cause,
        )
        for other in reversed(self.ledger.entries(asked.namespace, asked.model)):
            if _decision(other) == _decision(entry):
                return
            if other.kind in ("started", "promoted"):
                break
        self.ledger.add(entry)


def _decision(entry: Entry) -> tuple[object, ...]:
    """Return the fields that identify a decision; the numbers in its message do not."""
    return entry.kind, entry.run, entry.candidate, entry.weight, entry.cause


def _shown(seen: Run) -> dict[str, Any]:
    return {
        **vars(seen),
        "started": stamp(seen.started) if seen.started else None,
        "since": stamp(seen.since) if seen.since else None,
    }
