"""Model specs: serving, objectives, gates and rollout of each model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from slipway import documents
from slipway.documents import Frozen, Sorted
from slipway.errors import SlipwayError, at
from slipway.models.llm import Llm
from slipway.models.servers import MLSERVER, Server
from slipway.names import NAME
from slipway.quantities import Cpu, Memory, Percent

#: Kubernetes' form of a label's value.
LABEL_VALUE = r"^[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$"
#: A C identifier: every shell accepts it as an environment variable's name.
ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"

EnvName = Annotated[str, Field(pattern=ENV_NAME)]


class Replicas(Frozen):
    """Bounds of the autoscaler."""

    #: At least 1: nothing would hold the first requests until a pod runs.
    min: int = Field(default=1, ge=1)
    max: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Replicas:
        if self.max < self.min:
            raise ValueError(f"expected max to be at least min, got min {self.min} with max {self.max}")
        return self


class Scaling(Frozen):
    """The target of an autoscaler for one replica: KServe makes a HorizontalPodAutoscaler, or uses KEDA."""

    #: `cpu`, `memory`: percent of the reserved amount. `requests`: answers each second; needs KEDA.
    metric: Literal["cpu", "memory", "requests"]
    target: int = Field(ge=1)


class Serving(Frozen):
    """The settings of a model's replicas."""

    cpu: Cpu = "500m"
    memory: Memory = "1Gi"
    gpus: int = Field(default=0, ge=0)
    #: Reason for more GPUs than an environment's policies allow; agreed by its reviewer.
    business_case: str | None = Field(default=None, min_length=3)
    replicas: Replicas = Replicas()
    #: None scales at 80 % of the CPU, KServe's default.
    scaling: Scaling | None = None
    timeout_seconds: int = Field(default=60, ge=1)
    env: Sorted[EnvName, str] = Field(default_factory=dict)


class AtLeast(Frozen):
    """A lower bound."""

    at_least: float

    def holds(self, value: float) -> bool:
        """Return whether a measured value is good."""
        return value >= self.at_least

    def __str__(self) -> str:
        return f"at least {self.at_least:g}"


class AtMost(Frozen):
    """An upper bound."""

    at_most: float = Field(gt=0)

    def holds(self, value: float) -> bool:
        """Return whether a measured value is good."""
        return value <= self.at_most

    def __str__(self) -> str:
        return f"at most {self.at_most:g}"


class Objectives(Frozen):
    """The service level objectives of a model."""

    success_rate_percent: AtLeast
    latency_p95_ms: AtMost
    latency_p99_ms: AtMost | None = None
    #: Of the predictions whose label has arrived; None has no such objective.
    correct_percent: AtLeast | None = None
    #: Largest distance of a correct number from its label; None requires the label itself, as for a class.
    within: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _are_percentages(self) -> Objectives:
        for field in ("success_rate_percent", "correct_percent"):
            bound: AtLeast | None = getattr(self, field)
            if bound is not None and not 0 < bound.at_least <= 100:
                raise ValueError(f"expected {field}.at_least between 0 and 100 (percent), got {bound.at_least:g}")
        if self.within is not None and self.correct_percent is None:
            raise ValueError("expected correct_percent beside within, which only says what counts as correct")
        return self


class Gate(Frozen):
    """A bound on a metric in the registry, which a version must keep to become a release."""

    metric: str = Field(min_length=1)
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Gate:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("expected exactly one of 'at_least' or 'at_most'")
        return self

    def holds(self, value: float) -> bool:
        """Return whether a recorded value passes."""
        if self.at_least is not None:
            return value >= self.at_least
        return self.at_most is not None and value <= self.at_most

    @property
    def bound(self) -> str:
        """The bound, in words."""
        return f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"


#: docs/architecture.md, "Strategies", describes the effect of each on users.
Strategy = Literal["canary", "blue-green", "ab", "shadow", "immediate"]


class Audience(Frozen):
    """The users who get the candidate of an A/B test: their requests carry a header or a cookie with this value."""

    header: str | None = Field(default=None, pattern=r"^[A-Za-z][-A-Za-z0-9]*$")
    cookie: str | None = Field(default=None, pattern=r"^[-_A-Za-z0-9]+$")
    #: No character that a route's rule would have to escape.
    value: str = Field(pattern=r"^[-._~A-Za-z0-9]+$")

    @model_validator(mode="after")
    def _one_carrier(self) -> Audience:
        if (self.header is None) == (self.cookie is None):
            raise ValueError("expected exactly one of 'header' or 'cookie'")
        return self


class Rollout(Frozen):
    """The rollout of a model's new versions."""

    strategy: Strategy = "canary"
    #: Percent of the traffic; None takes the environment's.
    steps: tuple[Percent, ...] | None = Field(default=None, min_length=1)
    #: Expected traffic of users: decides whether a step can gather enough requests.
    requests_per_second: float = Field(gt=0)
    min_requests_per_step: int = Field(default=20, ge=1)
    #: Labelled predictions that a candidate needs before it may be promoted.
    min_labels: int = Field(default=0, ge=0)
    #: Minimum seconds at a step, by its percentage.
    pauses: Sorted[Percent, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    #: The users who get the candidate of an A/B test.
    audience: Audience | None = None

    @field_validator("strategy", mode="before")
    @classmethod
    def _has_no_knative(cls, strategy: object) -> object:
        if strategy == "knative":
            raise ValueError("'knative' is no strategy any more; write 'canary', which takes the same steps")
        return strategy

    @model_validator(mode="after")
    def _fits_its_strategy(self) -> Rollout:
        if (self.audience is None) == (self.strategy == "ab"):
            raise ValueError(f"expected audience with strategy 'ab' and with no other, got strategy {self.strategy!r}")
        if self.strategy != "canary" and (self.steps or self.pauses):
            raise ValueError(f"expected no steps, no pauses: strategy {self.strategy!r} moves all traffic at once")
        return self


class ModelSpec(Frozen):
    """A model's spec: one file `models/<name>.yaml`."""

    name: str = Field(pattern=NAME)
    #: The name in the registry; empty in the file means the model's own name.
    registered_model: str = ""
    owner: str = Field(min_length=1)
    description: str = ""
    #: The payer of its pods: a label by which bills can be split.
    cost_center: Annotated[str, Field(pattern=LABEL_VALUE)] | None = None
    serving: Serving = Serving()
    #: An LLM: served by vLLM as an LLMInferenceService instead of by MLServer.
    llm: Llm | None = None
    objectives: Objectives
    gates: tuple[Gate, ...] = ()
    rollout: Rollout

    @property
    def server(self) -> Server:
        """The serving runtime of the model, unless it is an LLM."""
        return MLSERVER

    @model_validator(mode="after")
    def _can_be_served_by_vllm(self) -> ModelSpec:
        if self.llm is None:
            return self
        if self.serving.replicas.min != self.serving.replicas.max or self.serving.scaling:
            raise ValueError("expected serving.replicas of the same min and max, no scaling: an LLM keeps its replicas")
        if self.rollout.strategy not in ("canary", "immediate"):
            raise ValueError(
                f"expected rollout.strategy 'canary' or 'immediate' of an LLM, got {self.rollout.strategy!r}"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _registered_under_its_name(cls, content: object) -> object:
        if isinstance(content, dict) and "name" in content:
            return {"registered_model": content["name"], **content}
        return content


def load_model_specs(directory: Path) -> dict[str, ModelSpec]:
    """Read every model spec of a directory, by name.

    Raises:
        SlipwayError: No directory, a file that does not fit, or a name that is not the file's.
    """
    if not directory.is_dir():
        raise SlipwayError(f"{at(documents.display(directory))}no such directory; expected model specs in it")
    specs = {}
    for path in sorted(directory.iterdir()):
        if path.suffix == ".yml":
            raise SlipwayError(f"{at(documents.display(path))}not read; name it {path.stem}.yaml")
        if path.suffix == ".yaml" and not path.name.startswith("."):
            specs[path.stem] = load_model_spec(path)
    return dict(sorted(specs.items()))


def load_model_spec(path: Path) -> ModelSpec:
    """Read one model spec.

    Raises:
        SlipwayError: The file does not fit, or its name is not the model's.
    """
    spec = documents.read(path, ModelSpec)
    if spec.name != path.stem:
        where = at(documents.display(path), documents.line_of(path, "name"), "name")
        raise SlipwayError(f"{where}expected the file's own name {path.stem!r}, got {spec.name!r}")
    return spec
