"""Objects of a cluster in mid-rollout, as the API server gives them, for tests to vary."""

from __future__ import annotations

from typing import Any

from slipway.rollout.state import RolloutState, states
from slipway.times import epoch

#: When the target moved, when Flagger began, when it ended; seconds apart as with ticks of ten seconds.
MOVED, BEGAN, ENDED = "2026-11-21T10:00:00Z", "2026-11-21T10:00:05Z", "2026-11-21T10:01:05Z"
POLICY = '{"latency_p95_ms":250.0,"min_requests":20,"success_rate_percent":99.5}'


def objects(
    live: int = 7,
    target: int = 8,
    phase: str | None = "Progressing",
    weight: int = 25,
    *,
    moved: str = MOVED,
    changed: str | None = None,
    running: tuple[int, ...] = (7, 8),
    annotations: dict[str, str] | None = None,
    failed_checks: int = 0,
) -> list[dict[str, Any]]:
    """Make the objects of the model `churn`: what serves, what is tried, what Flagger says about it."""
    promoted = {"Succeeded": "True", "Initialized": "True", "Failed": "False"}.get(phase or "", "Unknown")
    changed = changed or (BEGAN if promoted == "Unknown" else ENDED)
    hooks = [{"name": kind, "type": kind, "metadata": {"policy": POLICY}} for kind in ("rollback", "event")]
    status: dict[str, Any] = {"phase": phase, "canaryWeight": weight, "failedChecks": failed_checks}
    status["conditions"] = [{"type": "Promoted", "status": promoted, "lastTransitionTime": changed}]
    return [
        service("churn", target, moved),
        service("churn-primary", live),
        service("churn-canary", target),
        {
            "kind": "Canary",
            "metadata": {"name": "churn", "annotations": annotations or {}},
            "spec": {"analysis": {"interval": "10s", "threshold": 2, "stepWeights": [10, 25, 100], "webhooks": hooks}},
            "status": status if phase else {},
        },
        route(weight),
        *(inference_service(version) for version in running),
    ]


def state(*arguments: Any, **changes: Any) -> RolloutState:
    """Read the state of the model `churn` from such objects."""
    return states(["churn"], objects(*arguments, **changes))["churn"]


def service(name: str, version: int, moved: str = "") -> dict[str, Any]:
    """Make one of the trio; `moved` is when its selector was written."""
    fields = [{"manager": "pulumi", "time": moved, "fieldsV1": {"f:spec": {"f:selector": {}}}}] if moved else []
    return {
        "kind": "Service",
        "metadata": {"name": name, "managedFields": fields},
        "spec": {"selector": {"app": f"isvc.churn-v{version}-predictor"}},
    }


def route(weight: int, *more: dict[str, Any]) -> dict[str, Any]:
    """Make Flagger's route."""
    backends = [{"name": "churn-primary", "weight": 100 - weight}, {"name": "churn-canary", "weight": weight}]
    return {"kind": "HTTPRoute", "metadata": {"name": "churn"}, "spec": {"rules": [{"backendRefs": backends}, *more]}}


def inference_service(version: int) -> dict[str, Any]:
    """Make a version that runs."""
    return {
        "kind": "InferenceService",
        "metadata": {
            "name": f"churn-v{version}",
            "labels": {"slipway.dev/model": "churn"},
            "annotations": {"slipway.dev/release": f"v{version}-{version:012x}"},
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def at(moment: str, later: float = 0.0) -> float:
    """Turn a moment into seconds since the epoch."""
    return (epoch(moment) or 0.0) + later
