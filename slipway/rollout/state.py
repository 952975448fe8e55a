"""The state of each model's rollout, read from the objects of the cluster.

Users get what the primary's selector and the route's weights say; the Canary's phase only says what Flagger does.
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

#: Intervals within which Flagger notices that the target has moved: it checks once in each.
TICKS_TO_NOTICE = 3

#: absent: the model never ran here; starting: Flagger has not taken it over yet; settled: no rollout is under way;
#: pending: the target has moved, and Flagger has not checked since; running; failed: the target selects a candidate
#: that was not promoted; swallowed: the same, but no rollout of the candidate ran, so none ever will.
Situation = Literal["absent", "starting", "settled", "pending", "running", "failed", "swallowed"]


@dataclass(frozen=True)
class RolloutState:
    """State of one model's rollout."""

    model: str
    seen: ObservedModel
    #: Empty where there is none.
    canary: Object = field(default_factory=dict)
    #: Time of the last change of the target's selector, in seconds since the epoch; 0 if it is not recorded.
    moved: float = 0.0
    #: Whether the route copies users' requests to the candidate.
    mirrored: bool = False
    #: The version that the canary Service selects; None where it selects none of the model's.
    behind_canary: int | None = None

    @property
    def status(self) -> Object:
        """Status of the Canary."""
        return self.canary.get("status") or {}

    @property
    def analysis(self) -> Object:
        """Analysis of the Canary."""
        return canaries.analysis_of(self.canary)

    @property
    def candidate(self) -> int | None:
        """Version of the candidate; None where the target selects the live version."""
        return self.seen.candidate

    @property
    def weight(self) -> int | None:
        """Percent of the traffic that the route gives the candidate; None without a route."""
        return self.seen.weight

    @property
    def interval(self) -> float:
        """Seconds between two checks of Flagger."""
        return canaries.interval_of(self.canary)

    @property
    def condition(self) -> tuple[str, float]:
        """Status of the condition Promoted and the time of its last change in seconds since the epoch."""
        found = canaries.promoted(self.canary)
        return found.get("status", ""), epoch(found.get("lastTransitionTime")) or 0.0

    @property
    def abort(self) -> str:
        """Reason for which an operator aborted the present candidate; empty without an abort."""
        return canaries.aborted(
            self.canary, names.inference_service(self.model, self.candidate) if self.candidate else ""
        )

    @property
    def has_rollback_hook(self) -> bool:
        """Whether Flagger asks a rollback webhook at each check."""
        return any(hook.get("type") == "rollback" for hook in self.analysis.get("webhooks") or ())

    @property
    def leftovers(self) -> tuple[int, ...]:
        """Running versions that neither the target nor the primary selects."""
        used = {self.seen.live_version, self.seen.target_version}
        return tuple(sorted(each.version for each in self.seen.services.values() if each.version not in used))

    def release(self, version: int | None) -> str:
        """Return the release that runs as a version; empty if none does."""
        found = self.seen.services.get(names.inference_service(self.model, version)) if version else None
        return found.release_id if found else ""

    def situation(self, now: float) -> Situation:
        """Return the situation of the rollout at `now`, in seconds since the epoch."""
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
    """Read the state of models from a cluster in four requests.

    Raises:
        KubeError: The cluster cannot be reached or refuses.
        SlipwayError: A Service of a model selects something other than one of its versions.
    """
    return states(sorted(models), cluster.objects(kube, namespace))


def states(models: Iterable[str], objects: Iterable[Object]) -> dict[str, RolloutState]:
    """Read the state of models from Services, Canaries, InferenceServices and HTTPRoutes with `kind` filled in.

    Raises:
        SlipwayError: A Service of a model selects something other than one of its versions.
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
    """Return the time of the last change of a Service's selector, by its managed fields."""
    writers = (target.get("metadata") or {}).get("managedFields") or ()
    times = [
        epoch(each.get("time")) or 0.0
        for each in writers
        if "f:selector" in ((each.get("fieldsV1") or {}).get("f:spec") or {})
    ]
    return max(times, default=0.0)
