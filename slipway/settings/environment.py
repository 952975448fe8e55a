"""Settings of one stack."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from slipway import names, schema
from slipway.documents import Frozen, dotted, explain, frozen, more, problems
from slipway.errors import SlipwayError
from slipway.models.servers import MLSERVER
from slipway.names import NAME
from slipway.quantities import Percent
from slipway.settings.aws import EksSettings
from slipway.settings.gitops import GitOps
from slipway.settings.platform import Platform

#: A base URL, without a slash at its end.
URL = r"^https?://.*[^/]$"

#: The layers that a stack may declare, in this order.
Layer = Literal["platform", "metrics", "models"]
LAYERS: tuple[Layer, ...] = ("platform", "metrics", "models")

#: Pulumi asks for every setting of its schema that has no default, so an empty text stands for none.
OptionalName = Annotated[str | None, BeforeValidator(lambda text: text or None)]


class Cluster(Frozen):
    """The address and identity of the environment's cluster."""

    kubeconfig: str | None = Field(
        None, description="The cluster's kubeconfig file, relative to the project; without one only a preview works."
    )
    context: str | None = Field(None, description="The kubeconfig's context; without one its current one.")
    identifier: str = Field(
        min_length=1,
        description="The cluster's identity, apart from its kubeconfig; only a change of it replaces every object.",
    )
    eks: EksSettings | None = Field(
        None, description="A cluster of our own on AWS, made by this stack; without it the kubeconfig's is used."
    )

    @model_validator(mode="after")
    def _one_cluster(self) -> "Cluster":
        if self.eks and self.kubeconfig:
            raise ValueError("kubeconfig names an existing cluster, eks makes one; remove one of the two")
        return self


class RegistrySettings(Frozen):
    """The address of the model registry."""

    tracking_uri: str | None = Field(
        None, description="MLflow's URL; without it MLFLOW_TRACKING_URI. A pinned stack never reads it."
    )


class Gateway(Frozen):
    """The Gateway that users reach."""

    name: str = Field(min_length=1, description="The Gateway's name.")
    namespace: str = Field(min_length=1, description="The Gateway's namespace.")
    host_suffix: str = Field(min_length=1, description="A model answers at <model>.<host_suffix>.")
    scheme: Literal["http", "https"] = Field(
        "http", description="Scheme of users' requests; https needs a certificate."
    )
    # Traefik refuses a route with Gateway API's own filter.
    mirrors: Literal["gateway-api", "traefik"] | None = Field(
        None, description="How it copies requests: by Gateway API's RequestMirror or by Traefik's own kinds."
    )

    def url(self, model: str) -> str:
        """Return the address of a model's host."""
        return f"{self.scheme}://{names.host(model, self.host_suffix)}"

    def infer_url(self, model: str) -> str:
        """Return the URL of a model's inference (Open Inference Protocol)."""
        return f"{self.url(model)}{names.infer_path(model)}"


class EnvironmentRollout(Frozen):
    """The pace of rollouts in the environment."""

    strategy: Literal["canary", "immediate"] = Field(
        description="canary: each model's own strategy; immediate: all traffic at once for every model."
    )
    steps: tuple[Percent, ...] = Field(
        min_length=1, description="Percent of the traffic at each step, for models that name none."
    )
    # Flagger raises anything shorter to ten seconds (pkg/apis/flagger/v1beta1/canary.go).
    interval_seconds: int = Field(ge=10, description="Seconds between two checks of Flagger.")
    threshold: int = Field(ge=1, description="Failed checks after which a candidate is rolled back.")


class Environment(Frozen):
    """The settings of one stack."""

    name: str = Field(description="The stack's own name; not a setting.")
    namespace: str = Field("models", pattern=NAME, description="The namespace of every model's objects.")
    releases: Literal["follow", "pinned"] = Field(
        description="follow: run what the registry's alias names; pinned: run what the pins name."
    )
    pins: OptionalName = Field(
        None, description="pinned: whose pins, pins/<pins>.yaml; empty: the stack's own. Several regions share one."
    )
    after: OptionalName = Field(
        None, description="pinned: the stack, of the same pins, that must serve a candidate before this one tries it."
    )
    alias: str = Field(
        "champion",
        description="follow: the registry's alias, resolved once, at the start of preview or up;"
        " pinned: the one that settle moves to what serves.",
    )
    cluster: Cluster = Field(description="The environment's cluster.")
    registry: RegistrySettings = Field(default_factory=RegistrySettings, description="The model registry.")
    gateway: Gateway = Field(description="The Gateway that users reach.")
    service_account: str = Field(
        "model-reader",
        min_length=1,
        description="The service account of the model servers; it holds the credentials of the artifact store.",
    )
    runtime: str = Field(MLSERVER.runtime, min_length=1, description="Name of the ClusterServingRuntime.")
    prometheus_url: str = Field(pattern=URL, description="URL of the Prometheus with the metrics of an analysis.")
    payloads_url: Annotated[str | None, Field(pattern=URL), BeforeValidator(lambda text: text or None)] = Field(
        None, description="Where KServe's agents send requests and answers of models; empty sends nothing."
    )
    judge_url: Annotated[str | None, Field(pattern=URL), BeforeValidator(lambda text: text or None)] = Field(
        None, description="URL of the judge, which Flagger calls; empty takes plain thresholds on the metrics."
    )
    rollout: EnvironmentRollout = Field(description="The pace of rollouts.")
    # Pulumi passes a top-level true as the text "true".
    protect: Annotated[bool, Field(strict=False)] = Field(
        True, description="Whether Pulumi refuses to delete a Canary, which would take the model's route away."
    )
    layers: tuple[Layer, ...] = Field(
        LAYERS,
        min_length=1,
        description="What this stack declares: platform (the systems under the models), metrics (the queries that all"
        " models of a namespace share), models.",
    )
    platform_stack: OptionalName = Field(
        None, description="The stack of the same cluster that declares the layers which this one leaves out."
    )
    models: tuple[str, ...] = Field(
        ("*",),
        min_length=1,
        description="Which models this stack declares, as shell patterns; others are another stack's (shards).",
    )
    delivery: Literal["direct", "gitops"] = Field(
        "direct",
        description="Who applies the models' objects: direct: Pulumi; gitops: Argo CD, from files that render writes.",
    )
    gitops: Annotated[GitOps | None, BeforeValidator(lambda given: given or None)] = Field(
        None, validate_default=True, description="gitops: the repository that Argo CD reads."
    )
    platform: Platform = Field(
        default_factory=Platform,
        description="The systems that this environment installs; one that is absent is not installed.",
    )

    @field_validator("gitops")
    @classmethod
    def _has_a_repository(cls, gitops: GitOps | None, info: ValidationInfo) -> GitOps | None:
        if gitops is None and info.data.get("delivery") == "gitops":
            raise ValueError("missing; delivery by gitops needs the repository that Argo CD reads")
        return gitops

    @model_validator(mode="after")
    def _fits_together(self) -> "Environment":
        if "models" in self.layers and "metrics" not in self.layers and self.platform_stack is None:
            raise ValueError("layers: models without metrics; name the stack that has them: platform_stack")
        if (self.pins or self.after) and self.releases != "pinned":
            raise ValueError("pins, after: only for releases: pinned")
        if self.after == self.name or self.platform_stack == self.name:
            raise ValueError("after, platform_stack: expected another stack, got this one")
        return self

    def has(self, model: str) -> bool:
        """Return whether this stack declares a model."""
        return "models" in self.layers and any(fnmatchcase(model, pattern) for pattern in self.models)

    @classmethod
    def parse(cls, stack: str, settings: Mapping[str, Any], source: str) -> "Environment":
        """Return the settings of a stack.

        Args:
            settings: Key, without the project's prefix, to plain value.
            source: Their file, for messages.

        Raises:
            SlipwayError: A setting is missing, unknown or wrong.
        """
        if "name" in settings:
            raise SlipwayError(f"{source}: slipway:name: unknown key; the stack's own name is taken")
        settings = schema.unversioned(settings, lambda: f"{source}: slipway:{schema.VERSION}: ")
        try:
            return cls.model_validate({**frozen(dict(settings)), "name": stack})
        except ValidationError as error:
            found = problems(error)
            # An error about several settings names them itself.
            place = f"{dotted(found[0]['loc'])}: " if found[0]["loc"] else ""
            raise SlipwayError(f"{source}: slipway:{place}{explain(found[0], cls)}{more(len(found))}") from None


def path_of(project: Path, environment: Environment) -> Path:
    """Return the file of an environment's pins."""
    return project / "pins" / f"{environment.pins or environment.name}.yaml"
