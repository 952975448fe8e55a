"""Where the rollout of each model stands, read from the objects of the cluster.

The truth is what the primary selects, with the weights of the route: the Canary's phase only says what Flagger does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from slipway import names
from slipway.clients.kube import Kube
from slipway.objects import Object
from slipway.rollout import canary as canaries
from slipway.rollout import cluster
from slipway.rollout.observed import SETTLED, ObservedModel, observe_all
from slipway.times import epoch

#: Ticks in which Flagger must have noticed that the target has moved: it looks once in each.
TICKS_TO_NOTICE = 3

#: absent: it never ran here; starting: Flagger has not taken it over yet; settled: nothing is under way; pending: the
#: target has moved, Flagger has not looked since; running; failed: the target selects what was not promoted;
#: swallowed: the same, but no rollout of it ever ran, so none ever will.
Situation = Literal["absent", "starting", "settled", "pending", "running", "failed", "swallowed"]


@dataclass(frozen=True)
class RolloutState:
    """What the cluster shows of one model's rollout.

    Args:
        model: Its name.
        seen: Selectors, phase, InferenceServices, weight.
        canary: The Canary as it is; empty where there is none.
        moved: When the target's selector was last written, in seconds since the epoch; 0 where it is not recorded.
        mirrored: Whether the route has requests of users copied to the candidate.
        behind_canary: The version that the canary Service selects; None where it selects none of the model's.
    """

    model: str
    seen: ObservedModel
    canary: Object = field(default_factory=dict)
    moved: float = 0.0
    mirrored: bool = False
    behind_canary: int | None = None

    @property
    def status(self) -> Object:
        """What Flagger says about it."""
        return self.canary.get("status") or {}

    @property
    def analysis(self) -> Object:
        """How it is decided."""
        return canaries.analysis_of(self.canary)

    @property
    def candidate(self) -> int | None:
        """The version that is tried; None where the target is what users have."""
        return self.seen.candidate

    @property
    def weight(self) -> int | None:
        """Percent that the route gives the candidate; None where there is no route."""
        return self.seen.weight

    @property
    def interval(self) -> float:
        """Seconds between two looks of Flagger."""
        return canaries.interval_of(self.canary)

    @property
    def condition(self) -> tuple[str, float]:
        """Status of the condition Promoted, with the time of its last change in seconds since the epoch."""
        found = canaries.promoted(self.canary)
        return found.get("status", ""), epoch(found.get("lastTransitionTime")) or 0.0

    @property
    def abort(self) -> str:
        """Why an operator wants the present candidate away; empty where nobody does."""
        return canaries.aborted(
            self.canary, names.inference_service(self.model, self.candidate) if self.candidate else ""
        )

    @property
    def has_rollback_hook(self) -> bool:
        """Whether Flagger asks somebody at each look if the candidate is wanted away."""
        return any(hook.get("type") == "rollback" for hook in self.analysis.get("webhooks") or ())

    @property
    def leftovers(self) -> tuple[int, ...]:
        """Versions that run without being what the target or the primary selects."""
        used = {self.seen.live_version, self.seen.target_version}
        return tuple(sorted(each.version for each in self.seen.services.values() if each.version not in used))

    def release(self, version: int | None) -> str:
        """Return the release that runs as a version; empty where none does."""
        found = self.seen.services.get(names.inference_service(self.model, version)) if version else None
        return found.release_id if found else ""

    def situation(self, now: float) -> Situation:
        """Say in one word where it stands; `now` in seconds since the epoch."""
        seen = self.seen
        if seen.live_version is None or not self.canary:
            return "absent"
        if seen.phase in (None, "Initializing"):
            return "starting"
        if seen.phase not in SETTLED:
            return "running"
        if self.candidate is None:
            return "settled"
        ended = self.condition[1]
        if seen.phase == "Failed" and self.moved <= ended:
            return "failed"
        return "swallowed" if now > self.moved + TICKS_TO_NOTICE * self.interval else "pending"


def read(kube: Kube, namespace: str, models: Iterable[str]) -> dict[str, RolloutState]:
    """Read the state of models from a cluster: four lists, whatever their number.

    Raises:
        KubeError: The cluster cannot be reached or refuses.
        SlipwayError: A Service of a model selects what is none of its versions.
    """
    return states(sorted(models), cluster.objects(kube, namespace))


def states(models: Iterable[str], objects: Iterable[Object]) -> dict[str, RolloutState]:
    """Read the state of models from the live objects of their namespace.

    Args:
        models: Which to look for.
        objects: Services, Canaries, InferenceServices, HTTPRoutes with `kind` filled in.

    Raises:
        SlipwayError: A Service of a model selects something that is none of its versions.
    """
    found = list(objects)
    by_name = {(each["kind"], each["metadata"]["name"]): each for each in found}
    shown = {}
    for model, seen in observe_all(models, found).items():
        canary, route = (by_name.get((kind, model), {}) for kind in ("Canary", "HTTPRoute"))
        target, behind = (by_name.get(("Service", name), {}) for name in (model, names.canary(model)))
        mirrored = canaries.weights(model, route, canary)[1]
        selected = names.selected_version(model, (behind.get("spec") or {}).get("selector") or {})
        shown[model] = RolloutState(model, seen, canary, _moved(target), mirrored, selected)
    return shown


def _moved(target: Object) -> float:
    """Say when the target's selector was written: the API server notes it for each writer of a field."""
    writers = (target.get("metadata") or {}).get("managedFields") or ()
    times = [
        epoch(each.get("time")) or 0.0
        for each in writers
        if "f:selector" in ((each.get("fieldsV1") or {}).get("f:spec") or {})
    ]
    return max(times, default=0.0)
