"""The typed settings of one stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from slipway.documents import Frozen, dotted, explain, frozen, more, problems
from slipway.errors import SlipwayError
from slipway.model_spec import NAME, Percent
from slipway.platform.settings import Platform

#: Something under which paths are asked: no slash at its end.
URL = r"^https?://.*[^/]$"


class Cluster(Frozen):
    """Which cluster it is."""

    kubeconfig: str | None = None
    context: str | None = None
    #: The cluster's identity for the provider: without it, a changed kubeconfig replaces every object.
    identifier: str = Field(min_length=1)


class RegistrySettings(Frozen):
    """Where the registry is."""

    #: None takes MLFLOW_TRACKING_URI. A pinned environment never asks it.
    tracking_uri: str | None = None


class Gateway(Frozen):
    """The Gateway that users reach."""

    name: str = Field(min_length=1)
    namespace: str = Field(min_length=1)
    host_suffix: str = Field(min_length=1)
    #: How it copies requests: by Gateway API's filter RequestMirror, or by Traefik's own kinds, since Traefik refuses a
    #: route with that filter. None copies none.
    mirrors: Literal["gateway-api", "traefik"] | None = None


class EnvironmentRollout(Frozen):
    """How fast traffic moves here."""

    strategy: Literal["canary", "immediate"]
    steps: tuple[Percent, ...] = Field(min_length=1)
    #: Flagger raises anything shorter to ten seconds (pkg/apis/flagger/v1beta1/canary.go).
    interval_seconds: int = Field(ge=10)
    threshold: int = Field(ge=1)


class Environment(Frozen):
    """One stack."""

    name: str
    namespace: str = Field(default="models", pattern=NAME)
    releases: Literal["follow", "pinned"]
    alias: str = "champion"
    cluster: Cluster
    registry: RegistrySettings = RegistrySettings()
    gateway: Gateway
    service_account: str = Field(min_length=1)
    #: Name of the ClusterServingRuntime.
    runtime: str = Field(min_length=1)
    prometheus_url: str = Field(pattern=URL)
    #: Where the judge answers; None (in a stack's settings: nothing) decides by Flagger's plain thresholds.
    judge_url: Annotated[str | None, Field(pattern=URL), BeforeValidator(lambda text: text or None)] = None
    rollout: EnvironmentRollout
    #: Pulumi hands over a top-level true as the text "true".
    protect: Annotated[bool, Field(strict=False)]
    #: What this stack declares: the systems under the models, the models, or both.
    layers: tuple[Literal["platform", "models"], ...] = ("platform", "models")
    platform: Platform = Platform()

    @classmethod
    def parse(cls, stack: str, settings: Mapping[str, Any], source: str) -> Environment:
        """Read settings.

        Args:
            stack: The stack's name.
            settings: Key, without the project's prefix, to plain value.
            source: The file that holds them, for messages.

        Raises:
            SlipwayError: A setting is missing, unknown or wrong.
        """
        if "name" in settings:
            raise SlipwayError(f"{source}: slipway:name: unknown key; the stack's own name is taken")
        try:
            return cls.model_validate({**frozen(dict(settings)), "name": stack})
        except ValidationError as error:
            found = problems(error)
            place = dotted(found[0]["loc"])
            raise SlipwayError(f"{source}: slipway:{place}: {explain(found[0], cls)}{more(len(found))}") from None
