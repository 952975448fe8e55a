"""What a rehearsal has found, as one document."""

from __future__ import annotations

from typing import ClassVar, Literal

from slipway import names
from slipway.compile import compile_model, refusals
from slipway.delivery.record import RolloutRecord
from slipway.documents import Frozen
from slipway.models.spec import ModelSpec
from slipway.planning.timeline import Timeline, predict, thresholds
from slipway.rehearse.answers import Comparison
from slipway.rehearse.exposure import Exposure, exposures
from slipway.rehearse.run import Played
from slipway.rehearse.sides import Sides
from slipway.rehearse.stage import not_rehearsed
from slipway.rollout.canary import policy_of
from slipway.rollout.plan import ModelPlan
from slipway.rollout.policy import LIMIT
from slipway.settings.environment import Environment

Verdict = Literal["promoted", "rolled-back", "refused"]


class Metric(Frozen):
    """What the registry has recorded of both versions; None where one was never measured so."""

    name: str
    stable: float | None
    candidate: float | None


class Prediction(Frozen):
    """What the environment would do, without the lab."""

    #: None where it is refused.
    timeline: Timeline | None = None
    exposures: tuple[Exposure, ...] = ()
    #: The objectives that count there, as `rollout.policy.Policy.text` writes them.
    policy: str = ""
    #: Why the rollout can never end well, whatever the candidate is like: one line each, with what to change.
    refusals: tuple[str, ...] = ()


class Rehearsal(Frozen):
    """One rehearsal."""

    written_by_slipway: ClassVar[bool] = True

    model: str
    environment: str
    stable_version: int
    candidate_version: int
    stable_release: str
    candidate_release: str
    verdict: Verdict
    #: Why, in one line.
    reason: str
    prediction: Prediction
    failed_gates: tuple[str, ...] = ()
    changed_inputs: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()
    #: The rollout in the lab; None where it was not worth one.
    record: RolloutRecord | None = None
    comparison: Comparison | None = None
    lab_requests_per_second: float | None = None
    not_rehearsed: tuple[str, ...] = ()


def foresee(spec: ModelSpec, sides: Sides, environment: Environment) -> Prediction:
    """Say what an environment would do with any candidate, from the Canary that is compiled for it."""
    # Without a plan: what is wrong with the candidate itself is told beside what the lab has shown of it.
    if problems := refusals({spec.name: spec}, {}, environment):
        return Prediction(refusals=tuple(problems))
    plan = ModelPlan(sides.stable, sides.candidate, sides.candidate, live=sides.stable)
    canary = compile_model(spec, plan, environment).canary
    timeline, policy = predict(canary, environment.name, spec.rollout.requests_per_second), policy_of(canary)
    return Prediction(
        timeline=timeline,
        exposures=exposures(timeline, policy or thresholds(canary)),
        policy=(policy or thresholds(canary)).text(),
    )


def conclude(
    spec: ModelSpec,
    sides: Sides,
    environment: Environment,
    prediction: Prediction,
    played: Played | None,
    *,
    labelled: bool,
    generated: bool,
) -> Rehearsal:
    """Put everything together, the verdict first.

    Args:
        spec: The model, as it is in the environment.
        sides: Both versions.
        environment: Where the candidate would be released.
        prediction: What `foresee` has said.
        played: The rollout in the lab; None where it can never end well.
        labelled: Whether requests had labels.
        generated: Whether the requests were made from an example.
    """
    verdict, reason = _verdict(sides, prediction, played)
    before, after = sides.stable.metrics, sides.candidate.metrics
    return Rehearsal(
        model=spec.name,
        environment=environment.name,
        stable_version=sides.stable.version,
        candidate_version=sides.candidate.version,
        stable_release=sides.stable.id,
        candidate_release=sides.candidate.id,
        verdict=verdict,
        reason=reason,
        prediction=prediction,
        failed_gates=sides.failed_gates,
        changed_inputs=sides.changed_inputs,
        metrics=tuple(
            Metric(name=name, stable=before.get(name), candidate=after.get(name)) for name in sorted({*before, *after})
        ),
        record=played.record if played else None,
        comparison=played.comparison if played else None,
        lab_requests_per_second=played.requests_per_second if played else None,
        not_rehearsed=tuple(not_rehearsed(spec, labelled=labelled, generated=generated)) if played else (),
    )


def _verdict(sides: Sides, prediction: Prediction, played: Played | None) -> tuple[Verdict, str]:
    if prediction.refusals or played is None:
        return "refused", next(iter(prediction.refusals), "nothing was played")
    if sides.failed_gates:
        return "refused", f"its gates fail: {sides.failed_gates[0]}"
    promoted = played.record.outcome == "promoted"
    return "promoted" if promoted else "rolled-back", f"In the lab it {lab_verdict(sides.stable.model, played.record)}."


def lab_verdict(model: str, record: RolloutRecord) -> str:
    """Say how the rollout in the lab ended, as the rest of a sentence."""
    if record.outcome == "promoted":
        highest = max((point.evidence for point in record.points if point.evidence is not None), default=None)
        told = f": the evidence against it never rose above {highest:.2g} of {LIMIT:g}" if highest is not None else ""
        return f"was promoted by Flagger{told}"
    reason = record.reason.removeprefix(f"{names.inference_service(model, record.candidate_version)}: ")
    weight = max((point.weight for point in record.points), default=0)
    return f"was rolled back by Flagger at {weight} % of the traffic: {reason or 'no reason is known'}"
