"""What the cluster shows of models: which version serves, which one is tried, with how much of the traffic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway import names
from slipway.errors import SlipwayError
from slipway.rollout import canary as canaries

#: Flagger's phases in which nothing is under way (pkg/apis/flagger/v1beta1/status.go); any other, also an unknown
#: one, counts as unsettled: the route's weights or the pair's selectors may then change at any tick.
SETTLED = frozenset({"Initialized", "Succeeded", "Failed"})


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
    #: Percent of the traffic that the route gives the candidate; None where there is no route.
    weight: int | None = None
    #: Which programs apply the model's objects: "Pulumi", "Argo CD"; the pair is passed over, which Flagger writes.
    appliers: frozenset[str] = frozenset()

    @property
    def candidate(self) -> int | None:
        """The version that is tried; None where the target selects what users have."""
        return self.target_version if self.target_version != self.live_version else None


def observe_all(models: Iterable[str], objects: Iterable[Mapping[str, Any]]) -> dict[str, ObservedModel]:
    """Read the state of models from the live objects of their namespace.

    Args:
        models: Which models to look for.
        objects: Services, InferenceServices, Canaries and HTTPRoutes with `kind` filled in; other kinds are passed
            over. List them without a label selector: Flagger takes the primary's labels away when it promotes, unless
            it is configured to keep them.

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
            if found["kind"] == "HTTPRoute":
                continue
        appliers[model] = appliers.get(model, frozenset()) | _appliers(metadata)
    return {
        model: ObservedModel(
            live_version=_selected(model, by_name.get(("Service", names.primary(model)))),
            target_version=_selected(model, by_name.get(("Service", model))),
            phase=((by_name.get(("Canary", model)) or {}).get("status") or {}).get("phase") or None,
            services=dict(sorted(services.get(model, {}).items())),
            weight=_weight(model, by_name.get(("HTTPRoute", model)), by_name.get(("Canary", model)) or {}),
            appliers=appliers.get(model, frozenset()),
        )
        for model in models
    }


def _weight(model: str, route: Mapping[str, Any] | None, canary: Mapping[str, Any]) -> int | None:
    return None if route is None else canaries.weights(model, route, canary)[0]


def _appliers(metadata: Mapping[str, Any]) -> frozenset[str]:
    """Say who applies an object: Pulumi by its field managers, Argo CD by its tracking annotation."""
    managers = [str(entry.get("manager")) for entry in metadata.get("managedFields") or []]
    pulumi = {"Pulumi"} if any(manager.startswith("pulumi") for manager in managers) else set()
    return frozenset(pulumi | ({"Argo CD"} if names.TRACKING in (metadata.get("annotations") or {}) else set()))


def observed_service(metadata: Mapping[str, Any], status: Mapping[str, Any]) -> ObservedService:
    """Read one InferenceService."""
    annotations = metadata.get("annotations") or {}
    conditions = status.get("conditions") or []
    return ObservedService(
        version=names.version_in(metadata["name"]) or 0,
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
