"""The plan of one `up` for a model, decided from the wanted releases and the observed state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway import names
from slipway.errors import ExitCode, SlipwayError
from slipway.models.pins import Rejection
from slipway.models.release import Release
from slipway.models.spec import ModelSpec
from slipway.rollout.observed import SETTLED, ObservedModel


@dataclass(frozen=True)
class Wanted:
    """Releases that pins or an alias ask for."""

    stable: Release
    candidate: Release | None = None
    rejected: tuple[Rejection, ...] = ()
    #: Reason for which no traffic may move; None without a hold.
    hold: str | None = None
    #: Whether the candidate runs without a rollout during this `up`.
    held_back: bool = False


@dataclass(frozen=True)
class ModelPlan:
    """Declared state of a model: InferenceServices for `stable` and `candidate`, the target on `target`."""

    stable: Release
    candidate: Release | None
    target: Release
    notices: tuple[str, ...] = ()
    #: The release that the primary selects; None before the first deployment.
    live: Release | None = None
    #: Percent of the traffic that the candidate has.
    weight: int = 0
    #: By running version: whether an agent beside its servers sends their requests to observe.
    agents: Mapping[int, bool] = field(default_factory=dict)

    @property
    def declared(self) -> tuple[Release, ...]:
        """The releases that run."""
        return (self.stable, self.candidate) if self.candidate else (self.stable,)


def follow(alias: Release, live: Release | None, rejected: tuple[Rejection, ...] = ()) -> Wanted:
    """Return the releases that an alias asks for, given the live release.

    The live release stays stable until the alias's release is promoted. If it was rejected after its promotion, the
    two change places: it serves only until the alias's release has taken over.
    """
    if live is None or live.version == alias.version:
        return Wanted(alias, None, rejected)
    refused = {rejection.release for rejection in rejected}
    if live.id in refused and alias.id not in refused:
        return Wanted(alias, live, rejected)
    return Wanted(live, alias, rejected)


def plan_model(spec: ModelSpec, wanted: Wanted, observed: ObservedModel | None) -> ModelPlan:
    """Decide the plan of one `up` for a model.

    Raises:
        SlipwayError: The wanted releases cannot be reached from the observed state without harm.
    """
    seen, model, notices = observed or ObservedModel(), spec.name, list[str]()
    candidate = _candidate(model, wanted, seen, notices)
    runs = {release.version: release for release in (wanted.stable, candidate) if release}
    for release in runs.values():
        _still_the_same(model, release, seen, notices)
    if seen.live_version is not None and seen.live_version not in runs:
        raise SlipwayError(
            f"{model}: stable: release {wanted.stable.id} is wanted, but users are served by version"
            f" {seen.live_version}; keep that version's release stable, with {wanted.stable.id} as the candidate"
        )
    live = runs.get(seen.live_version or 0)
    target = _target(model, wanted, candidate, live, seen, notices)
    _refuse_a_harmful_move(model, target, seen)
    agents = {service.version: service.logged for service in seen.services.values()}
    return ModelPlan(wanted.stable, candidate, target, tuple(notices), live, seen.weight or 0, agents)


def _candidate(model: str, wanted: Wanted, seen: ObservedModel, notices: list[str]) -> Release | None:
    """Return the candidate that may run; a rejected one may only while users are served by it."""
    stable, candidate = wanted.stable, wanted.candidate
    for release in filter(None, (stable, candidate)):
        if release.model != model:
            raise SlipwayError(f"{model}: release {release.id} belongs to model {release.model}; pin one of {model}'s")
    reasons = {rejection.release: rejection.reason for rejection in wanted.rejected}
    if stable.id in reasons:
        raise SlipwayError(
            f"{model}: stable: release {stable.id} was rejected ({reasons[stable.id]}); name one that was not"
        )
    if candidate is None or candidate.id == stable.id:
        return None
    if candidate.version == stable.version:
        raise SlipwayError(
            f"{model}: candidate: release {candidate.id} has the version of the stable {stable.id}, and both would be"
            f" {names.inference_service(model, stable.version)}; register a new version"
        )
    if candidate.id not in reasons:
        return candidate
    if candidate.version != seen.live_version:
        notices.append(f"{model}: {candidate.id} was rejected ({reasons[candidate.id]}); {stable.id} stays")
        return None
    notices.append(
        f"{model}: {candidate.id} was rejected ({reasons[candidate.id]}) after it was promoted;"
        f" it serves until {stable.id} has taken over"
    )
    return candidate


def _still_the_same(model: str, release: Release, seen: ObservedModel, notices: list[str]) -> None:
    """Refuse a release whose version runs with other bytes: an InferenceService never changes."""
    name = names.inference_service(model, release.version)
    runs = seen.services.get(name)
    if runs is None or runs.release_id == release.id:
        return
    if runs.model_digest != release.artifact.digest:
        raise SlipwayError(
            f"{model}: {name} runs {runs.model_digest or 'unknown bytes'}, but release {release.id} is"
            f" {release.artifact.digest}; a version never changes: register a new one"
        )
    notices.append(
        f"{model}: {name} was created as release {runs.release_id}; its bytes are those of {release.id},"
        " but the registry's other facts about it have changed since"
    )


def _target(
    model: str,
    wanted: Wanted,
    candidate: Release | None,
    live: Release | None,
    seen: ObservedModel,
    notices: list[str],
) -> Release:
    """Choose the release that the target selects."""
    stable = wanted.stable
    if live is None or not seen.phase:
        # Flagger takes the target's first spec for the promoted one, so it must be the live release.
        if candidate is not None and candidate is not live:
            notices.append(f"{model}: {candidate.id} waits: its rollout starts from a settled state")
        return live or stable
    if wanted.hold:
        notices.append(f"{model}: on hold ({wanted.hold}); nothing moves")
        return candidate if candidate is not None and candidate.version == seen.target_version else live
    if wanted.held_back:
        notices.append(f"{model}: the target goes back to {live.id}, to be moved again")
        return live
    if candidate is None or any(candidate.id == rejection.release for rejection in wanted.rejected):
        return stable
    if candidate is live:
        notices.append(f"{model}: {candidate.id} is promoted; record it as stable to retire {stable.id}")
    elif candidate.version == seen.target_version and seen.phase == "Failed":
        notices.append(
            f"{model}: {candidate.id} is not promoted: the last rollout failed, and {live.id} serves;"
            " to try again point back to it first, then forward"
        )
    elif candidate.version == seen.target_version:
        notices.append(
            f"{model}: rollout of {candidate.id} is under way ({seen.phase}, {seen.weight or 0}% of the traffic)"
        )
    return candidate


def _refuse_a_harmful_move(model: str, target: Release, seen: ObservedModel) -> None:
    """Refuse to move the target while Flagger works on a rollout or is about to start one."""
    now, live, phase = seen.target_version, seen.live_version, seen.phase
    if now is None or now == target.version or not phase:
        return
    state = ""
    if phase not in SETTLED:
        state = f"is {phase}"
    elif phase != "Failed" and live not in (None, now, target.version):
        state = "is about to start"
    if state:
        raise SlipwayError(
            f"{model}: the rollout of {names.inference_service(model, now)} {state}, so the target cannot move to"
            f" {target.id}; wait until it has Succeeded or Failed, or keep version {now} wanted",
            ExitCode.BUSY,
        )
