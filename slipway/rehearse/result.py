"""The result of a rehearsal, as one document."""

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
    """A registry metric of both versions; None where a version lacks it."""

    name: str
    stable: float | None
    candidate: float | None


class Prediction(Frozen):
    """Prediction of the environment's rollout, without the lab."""

    #: None for a refused rollout.
    timeline: Timeline | None = None
    exposures: tuple[Exposure, ...] = ()
    #: Policy of the environment, as `rollout.policy.Policy.text` returns it.
    policy: str = ""
    #: Reasons for which no candidate could be promoted: one line each, with the remedy.
    refusals: tuple[str, ...] = ()


class Rehearsal(Frozen):
    """Result of one rehearsal."""

    written_by_slipway: ClassVar[bool] = True

    model: str
    environment: str
    stable_version: int
    candidate_version: int
    stable_release: str
    candidate_release: str
    verdict: Verdict
    #: Reason for the verdict, in one line.
    reason: str
    prediction: Prediction
    failed_gates: tuple[str, ...] = ()
    changed_inputs: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()
    #: The rollout in the lab; None for a refused one.
    record: RolloutRecord | None = None
    comparison: Comparison | None = None
    lab_requests_per_second: float | None = None
    not_rehearsed: tuple[str, ...] = ()


def foresee(spec: ModelSpec, sides: Sides, environment: Environment) -> Prediction:
    """Predict an environment's rollout of any candidate from the compiled Canary."""
    # Without a plan: faults of the candidate itself are reported beside the results of the lab.
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
    """Return the result; `played` is None where the prediction refuses the rollout."""
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
    """Return the end of the rollout in the lab, as the rest of a sentence."""
    if record.outcome == "promoted":
        highest = max((point.evidence for point in record.points if point.evidence is not None), default=None)
        known = f": the evidence against it never rose above {highest:.2g} of {LIMIT:g}" if highest is not None else ""
        return f"was promoted by Flagger{known}"
    reason = record.reason.removeprefix(f"{names.inference_service(model, record.candidate_version)}: ")
    weight = max((point.weight for point in record.points), default=0)
    return f"was rolled back by Flagger at {weight} % of the traffic: {reason or 'no reason is known'}"
