"""The observed state of models: the live version, the candidate and its share of the traffic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from slipway import names
from slipway.errors import SlipwayError
from slipway.objects import Object
from slipway.rollout import canary as canaries

#: Flagger's phases without a rollout under way (pkg/apis/flagger/v1beta1/status.go). Any other phase counts as
#: unsettled: the route's weights or the Services' selectors may change at any check.
SETTLED = frozenset({"Initialized", "Succeeded", "Failed"})


@dataclass(frozen=True)
class ObservedService:
    """Observed state of one InferenceService."""

    version: int
    release_id: str
    ready: bool
    serving_digest: str
    model_digest: str = ""
    #: Whether an agent beside its servers sends their requests to observe.
    logged: bool = False


@dataclass(frozen=True)
class ObservedModel:
    """Observed state of one model; None stands for a missing object."""

    live_version: int | None = None
    target_version: int | None = None
    phase: str | None = None
    services: Mapping[str, ObservedService] = field(default_factory=dict)
    #: Percent of the traffic that the route gives the candidate; None where there is no route.
    weight: int | None = None
    #: Programs that apply the model's objects: "Pulumi", "Argo CD"; objects that Flagger writes do not count.
    appliers: frozenset[str] = frozenset()

    @property
    def candidate(self) -> int | None:
        """Version of the candidate; None where the target selects the live version."""
        return self.target_version if self.target_version != self.live_version else None


def observe_all(models: Iterable[str], objects: Iterable[Object]) -> dict[str, ObservedModel]:
    """Read the state of models from the live objects of their namespace.

    The objects are Services, InferenceServices, Canaries and HTTPRoutes with `kind` filled in. List them without a
    label selector: Flagger removes the primary's labels when it promotes, unless it is configured to keep them.

    Raises:
        SlipwayError: A Service of a model selects something other than one of its versions.
    """
    by_name: dict[tuple[str, str], Object] = {}
    services: dict[str, dict[str, ObservedService]] = {}
    appliers: dict[str, frozenset[str]] = {}
    for found in objects:
        metadata = found["metadata"]
        if found["kind"] == "InferenceService":
            model = (metadata.get("labels") or {}).get(names.MODEL, "")
            services.setdefault(model, {})[metadata["name"]] = observed_service(found)
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
            phase=((canary := by_name.get(("Canary", model), {})).get("status") or {}).get("phase") or None,
            services=dict(sorted(services.get(model, {}).items())),
            weight=canaries.weights(model, route, canary)[0] if (route := by_name.get(("HTTPRoute", model))) else None,
            appliers=appliers.get(model, frozenset()),
        )
        for model in models
    }


def _appliers(metadata: Object) -> frozenset[str]:
    """Return who applies an object: Pulumi by its field managers, Argo CD by its tracking annotation."""
    managers = [str(entry.get("manager")) for entry in metadata.get("managedFields") or []]
    pulumi = {"Pulumi"} if any(manager.startswith("pulumi") for manager in managers) else set()
    return frozenset(pulumi | ({"Argo CD"} if names.TRACKING in (metadata.get("annotations") or {}) else set()))


def is_ready(service: Object) -> bool:
    """Return whether an InferenceService is Ready."""
    conditions = (service.get("status") or {}).get("conditions") or []
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def observed_service(service: Object) -> ObservedService:
    """Read the state of one InferenceService."""
    metadata = service["metadata"]
    annotations = metadata.get("annotations") or {}
    return ObservedService(
        version=names.version_in(metadata["name"]) or 0,
        release_id=annotations.get(names.RELEASE, ""),
        ready=is_ready(service),
        serving_digest=annotations.get(names.SERVING_DIGEST, ""),
        model_digest=annotations.get(names.MODEL_DIGEST, ""),
        logged=names.PAYLOADS in annotations,
    )


def _selected(model: str, service: Object | None) -> int | None:
    if service is None:
        return None
    selector = (service.get("spec") or {}).get("selector") or {}
    if (version := names.selected_version(model, selector)) is None:
        raise SlipwayError(
            f"Service {service['metadata']['name']}: spec.selector: expected the pods of one version of {model},"
            f" got {dict(selector)}; another program wrote it: restore it, or give the model another name"
        )
    return version
