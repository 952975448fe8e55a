"""What one `up` may do to a model, decided from what is wanted, given what the cluster shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway import names
from slipway.errors import ExitCode, SlipwayError
from slipway.models.pins import Rejection
from slipway.models.release import Release
from slipway.models.spec import ModelSpec

#: Flagger's phases in which nothing is under way (pkg/apis/flagger/v1beta1/status.go); any other, also an unknown
#: one, counts as unsettled: the route's weights or the pair's selectors may then change at any tick.
SETTLED = frozenset({"Initialized", "Succeeded", "Failed"})


#: Variable that names the model whose candidate one `up` keeps off the target, so that Flagger may try it anew.
HELD_BACK = "SLIPWAY_HELD_BACK"


@dataclass(frozen=True)
class ObservedService:
    """One InferenceService that exists."""

    version: int
    release_id: str
    ready: bool
    serving_digest: str
    model_digest: str = ""
    #: Whether an agent beside its servers sends what they are asked.
    logged: bool = False


@dataclass(frozen=True)
class ObservedModel:
    """What the cluster shows of a model; None stands for an object that is not there."""

    live_version: int | None = None
    target_version: int | None = None
    phase: str | None = None
    services: Mapping[str, ObservedService] = field(default_factory=dict)
    #: Percent of the traffic that the canary has.
    weight: int = 0
    #: Which programs apply the model's objects: "Pulumi", "Argo CD"; the pair is passed over, which Flagger writes.
    appliers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Wanted:
    """What pins or an alias ask for."""

    stable: Release
    candidate: Release | None = None
    rejected: tuple[Rejection, ...] = ()
    #: Why nothing may move; None lets releases move.
    hold: str | None = None
    #: Whether the candidate runs without being tried, for this once.
    held_back: bool = False


@dataclass(frozen=True)
class ModelPlan:
    """What one `up` declares: an InferenceService for `stable` (and `candidate`), the target on `target`."""

    stable: Release
    candidate: Release | None
    target: Release
    notices: tuple[str, ...] = ()
    #: What the primary selects; None before the first deployment.
    live: Release | None = None
    #: Percent of the traffic that the candidate has already.
    weight: int = 0
    #: Of each version that runs already: whether an agent beside its servers sends what they are asked.
    agents: Mapping[int, bool] = field(default_factory=dict)

    @property
    def declared(self) -> tuple[Release, ...]:
        """The releases that run."""
        return (self.stable, self.candidate) if self.candidate else (self.stable,)


def follow(alias: Release, live: Release | None, rejected: tuple[Rejection, ...] = ()) -> Wanted:
    """Say what an alias asks for, given what is live.

    The live release stays stable until the alias's is promoted. One that was rejected after its promotion serves only
    until the alias's has taken over: so the two change places.
    """
    if live is None or live.version == alias.version:
        return Wanted(alias, None, rejected)
    refused = {rejection.release for rejection in rejected}
    if live.id in refused and alias.id not in refused:
        return Wanted(alias, live, rejected)
    return Wanted(live, alias, rejected)


def plan_model(spec: ModelSpec, wanted: Wanted, observed: ObservedModel | None) -> ModelPlan:
    """Decide what one `up` does to a model.

    Raises:
        SlipwayError: What is wanted cannot be reached from what the cluster shows without harm.
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
    return ModelPlan(wanted.stable, candidate, target, tuple(notices), live, seen.weight, agents)


def _candidate(model: str, wanted: Wanted, seen: ObservedModel, notices: list[str]) -> Release | None:
    """Return the candidate that may run; a rejected one may, only for as long as users are served by it."""
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
    """An InferenceService never changes, so a version that runs must be the release that is wanted."""
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
        " what the registry says about them has changed since"
    )


def _target(
    model: str,
    wanted: Wanted,
    candidate: Release | None,
    live: Release | None,
    seen: ObservedModel,
    notices: list[str],
) -> Release:
    """Choose what the target selects."""
    stable = wanted.stable
    if live is None or not seen.phase:
        # Flagger takes the target's first spec for the promoted one: it must be what users get already.
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
        notices.append(f"{model}: rollout of {candidate.id} is under way ({seen.phase}, {seen.weight}% of the traffic)")
    return candidate


def _refuse_a_harmful_move(model: str, target: Release, seen: ObservedModel) -> None:
    """Let the target move only where Flagger is not, or not about to be, at work on it."""
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


def observe(model: str, objects: Iterable[Mapping[str, Any]]) -> ObservedModel:
    """Read the state of one model; see `observe_all`."""
    return observe_all([model], objects)[model]


def observe_all(models: Iterable[str], objects: Iterable[Mapping[str, Any]]) -> dict[str, ObservedModel]:
    """Read the state of models from the live objects of their namespace.

    Args:
        models: Which models to look for.
        objects: Services, InferenceServices and Canaries with `kind` filled in; any other, of anybody, is passed over.
            List them without a label selector: Flagger takes the primary's labels away when it promotes, unless it is
            told to keep them.

    Raises:
        SlipwayError: A Service of a model selects something that is none of its versions.
    """
    by_name, services = dict[tuple[str, str], Mapping[str, Any]](), dict[str, dict[str, ObservedService]]()
    appliers: dict[str, frozenset[str]] = {}
    for found in objects:
        metadata = found["metadata"]
        if found["kind"] == "InferenceService":
            model = (metadata.get("labels") or {}).get(names.MODEL, "")
            services.setdefault(model, {})[metadata["name"]] = observed_service(metadata, found.get("status") or {})
        else:
            model = metadata["name"]
            by_name[found["kind"], model] = found
        appliers[model] = appliers.get(model, frozenset()) | _appliers(metadata)
    return {
        model: ObservedModel(
            live_version=_selected(model, by_name.get(("Service", names.primary(model)))),
            target_version=_selected(model, by_name.get(("Service", model))),
            phase=(status := (by_name.get(("Canary", model)) or {}).get("status") or {}).get("phase") or None,
            services=dict(sorted(services.get(model, {}).items())),
            weight=int(status.get("canaryWeight") or 0),
            appliers=appliers.get(model, frozenset()),
        )
        for model in models
    }


def _appliers(metadata: Mapping[str, Any]) -> frozenset[str]:
    """Say who applies an object: Pulumi by its field managers, Argo CD by its tracking annotation."""
    managers = [str(entry.get("manager")) for entry in metadata.get("managedFields") or []]
    pulumi = {"Pulumi"} if any(manager.startswith("pulumi") for manager in managers) else set()
    return frozenset(pulumi | ({"Argo CD"} if names.TRACKING in (metadata.get("annotations") or {}) else set()))


def observed_service(metadata: Mapping[str, Any], status: Mapping[str, Any]) -> ObservedService:
    """Read one InferenceService."""
    annotations = metadata.get("annotations") or {}
    version = metadata["name"].rpartition("-v")[2]
    conditions = status.get("conditions") or []
    return ObservedService(
        version=int(version) if version.isdigit() else 0,
        release_id=annotations.get(names.RELEASE, ""),
        ready=any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions),
        serving_digest=annotations.get(names.SERVING_DIGEST, ""),
        model_digest=annotations.get(names.MODEL_DIGEST, ""),
        logged=names.PAYLOADS in annotations,
    )


def _selected(model: str, service: Mapping[str, Any] | None) -> int | None:
    if service is None:
        return None
    selector = (service.get("spec") or {}).get("selector") or {}
    version = names.selected_version(model, selector)
    if version is None:
        raise SlipwayError(
            f"Service {service['metadata']['name']}: spec.selector: expected the pods of one version of {model},"
            f" got {dict(selector)}; another program wrote it: restore it, or give the model another name"
        )
    return version
