"""Types of Flagger's objects, field by field; see `objects`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from slipway.compile.objects import Manifest, Metadata, Name, Port, Seconds, Subdomain, Wire
from slipway.quantities import Percent

#: A URL without a slash at its end, so that a path can follow.
Url = Annotated[str, Field(pattern=r"^https?://.*[^/]$")]


class TargetRef(Wire):
    """The Service whose changes start a rollout."""

    api_version: Literal["v1"] = Field(default="v1", serialization_alias="apiVersion")
    kind: Literal["Service"] = "Service"
    name: Name


class GatewayRef(Wire):
    """The Gateway that serves the route."""

    name: Subdomain
    namespace: Name


class CanaryService(Wire):
    """The route; `name` is left out because the controller ignores it and the router does not."""

    port: Port
    hosts: Annotated[tuple[Subdomain, ...], Field(min_length=1)]
    gateway_refs: Annotated[tuple[GatewayRef, ...], Field(min_length=1)] = Field(serialization_alias="gatewayRefs")
    timeout: Seconds


class Floor(Wire):
    """A lower bound."""

    min: int | float


class Ceiling(Wire):
    """An upper bound."""

    max: int | float


class TemplateRef(Wire):
    """A MetricTemplate of the same namespace."""

    name: Name


class MetricCheck(Wire):
    """A measurement that halts the rollout when it is out of its range."""

    name: Name
    interval: Seconds
    template_ref: TemplateRef = Field(serialization_alias="templateRef")
    template_variables: dict[str, str] | None = Field(default=None, serialization_alias="templateVariables")
    threshold_range: Floor | Ceiling = Field(serialization_alias="thresholdRange")


class Webhook(Wire):
    """A service that Flagger calls at one point of a rollout."""

    name: Name
    type: Literal["confirm-rollout", "confirm-traffic-increase", "confirm-promotion", "rollback", "event"]
    url: Url
    mute_alert: Literal[True] = Field(default=True, serialization_alias="muteAlert")
    metadata: dict[str, str]


class Exact(Wire):
    """A header's whole value."""

    exact: str


class Regex(Wire):
    """A pattern of a header's whole value."""

    regex: str


class RequestMatch(Wire):
    """A selection of requests by their headers."""

    headers: dict[str, Exact | Regex]


class Steps(Wire):
    """An analysis by weights; with mirroring Flagger would never leave 0 % (router/gateway_api.go)."""

    interval: Seconds
    threshold: Annotated[int, Field(ge=1)]
    step_weights: Annotated[tuple[Percent, ...], Field(min_length=1)] = Field(serialization_alias="stepWeights")
    metrics: tuple[MetricCheck, ...]
    webhooks: tuple[Webhook, ...] | None = None


class Iterations(Wire):
    """An analysis by a number of checks, after which all traffic, or all that matches, moves at once."""

    interval: Seconds
    threshold: Annotated[int, Field(ge=1)]
    iterations: Annotated[int, Field(ge=1)]
    match: tuple[RequestMatch, ...] | None = None
    mirror: Literal[True] | None = None
    metrics: tuple[MetricCheck, ...]
    webhooks: tuple[Webhook, ...] | None = None


class CanarySpec(Wire):
    """The rollout of a model's new versions."""

    provider: Literal["gatewayapi:v1"] = "gatewayapi:v1"
    target_ref: TargetRef = Field(serialization_alias="targetRef")
    service: CanaryService
    analysis: Steps | Iterations
    skip_analysis: Literal[True] | None = Field(default=None, serialization_alias="skipAnalysis")


class Canary(Manifest):
    """Flagger's Canary, one for each model."""

    api_version: Literal["flagger.app/v1beta1"] = Field(default="flagger.app/v1beta1", serialization_alias="apiVersion")
    kind: Literal["Canary"] = "Canary"
    metadata: Metadata
    spec: CanarySpec


class MetricProvider(Wire):
    """The server of a query."""

    type: Literal["prometheus"] = "prometheus"
    address: Url


class MetricTemplateSpec(Wire):
    """A query for any model."""

    provider: MetricProvider
    query: str


class MetricTemplate(Manifest):
    """Flagger's MetricTemplate, shared by all models."""

    api_version: Literal["flagger.app/v1beta1"] = Field(default="flagger.app/v1beta1", serialization_alias="apiVersion")
    kind: Literal["MetricTemplate"] = "MetricTemplate"
    metadata: Metadata
    spec: MetricTemplateSpec
