"""Types of the Kubernetes objects that are emitted, field by field.

Only emitted fields exist here, so no other field of KServe or Flagger can be set by mistake. The wire's spelling
stands beside each field; a generated one would hide missing fields from mypy.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from slipway.models.servers import ADDRESS
from slipway.objects import Object
from slipway.quantities import Quantity

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#: RFC 1123 label: the name of most objects.
Name = Annotated[str, Field(pattern=rf"^{_LABEL}$", max_length=63)]
#: RFC 1123 subdomain: the name of other objects and of hosts.
Subdomain = Annotated[str, Field(pattern=rf"^{_LABEL}(\.{_LABEL})*$", max_length=253)]
Port = Annotated[int, Field(ge=1, le=65535)]
#: Seconds, as Flagger's CRD takes an interval.
Seconds = Annotated[str, Field(pattern=r"^[1-9][0-9]*s$")]
#: The address of a server's files.
Address = Annotated[str, Field(pattern=rf"^{ADDRESS}$")]
LabelValue = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$", max_length=63)]


class Wire(BaseModel):
    """Base of all emitted types."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Metadata(Wire):
    """Name, labels and annotations of an object."""

    name: Name
    namespace: Name
    labels: dict[str, LabelValue] | None = None
    annotations: dict[str, str] | None = None


class Manifest(Wire):
    """A whole object."""

    def manifest(self) -> Object:
        """Return the object as it is sent."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class EnvVar(Wire):
    """One environment variable."""

    name: str
    value: str


class ContainerPort(Wire):
    """One port of a container."""

    name: Literal["http", "metrics"]
    container_port: Port = Field(serialization_alias="containerPort")
    protocol: Literal["TCP"] = "TCP"


class Amounts(Wire):
    """Amounts of a replica's resources."""

    cpu: Quantity
    memory: Quantity
    gpus: Quantity | None = Field(default=None, serialization_alias="nvidia.com/gpu")


class Resources(Wire):
    """Reserved and allowed amounts."""

    requests: Amounts
    limits: Amounts


class ModelFormat(Wire):
    """The format of a model; without a version, so that the named runtime decides."""

    name: str


class PredictorModel(Wire):
    """The model that a runtime serves."""

    model_format: ModelFormat = Field(serialization_alias="modelFormat")
    protocol_version: Literal["v2"] = Field(default="v2", serialization_alias="protocolVersion")
    runtime: Subdomain
    storage_uri: Address = Field(serialization_alias="storageUri")
    env: tuple[EnvVar, ...]
    ports: tuple[ContainerPort, ...]
    resources: Resources


class PrometheusMetric(Wire):
    """A query of Prometheus that returns one number."""

    backend: Literal["prometheus"] = "prometheus"
    server_address: str = Field(serialization_alias="serverAddress")
    query: str


class Threshold(Wire):
    """The target value of one replica."""

    type: Literal["Value"] = "Value"
    value: str


class External(Wire):
    """A metric with its threshold."""

    metric: PrometheusMetric
    target: Threshold


class ExternalMetric(Wire):
    """A metric from outside the cluster's own metrics API."""

    type: Literal["External"] = "External"
    external: External


class AutoScaling(Wire):
    """The metrics that KEDA scales by."""

    metrics: tuple[ExternalMetric, ...]


class Toleration(Wire):
    """A toleration of tainted nodes."""

    key: str
    operator: Literal["Exists"] = "Exists"
    effect: Literal["NoSchedule"] = "NoSchedule"


class Logger(Wire):
    """The receiver of requests and answers; KServe's agent beside the server sends them."""

    mode: Literal["all"] = "all"
    url: str


class Predictor(Wire):
    """The component that serves a model."""

    service_account_name: Subdomain = Field(serialization_alias="serviceAccountName")
    min_replicas: Annotated[int, Field(ge=0)] = Field(serialization_alias="minReplicas")
    max_replicas: Annotated[int, Field(ge=1)] = Field(serialization_alias="maxReplicas")
    scale_metric: Literal["cpu", "memory"] | None = Field(default=None, serialization_alias="scaleMetric")
    scale_target: Annotated[int, Field(ge=1)] | None = Field(default=None, serialization_alias="scaleTarget")
    auto_scaling: AutoScaling | None = Field(default=None, serialization_alias="autoScaling")
    tolerations: tuple[Toleration, ...] | None = None
    logger: Logger | None = None
    model: PredictorModel


class InferenceServiceSpec(Wire):
    """The spec of an InferenceService."""

    predictor: Predictor


class InferenceService(Manifest):
    """KServe's InferenceService: one for each release."""

    api_version: Literal["serving.kserve.io/v1beta1"] = Field(
        default="serving.kserve.io/v1beta1", serialization_alias="apiVersion"
    )
    kind: Literal["InferenceService"] = "InferenceService"
    metadata: Metadata
    spec: InferenceServiceSpec


class ServicePort(Wire):
    """One port of a Service."""

    name: Literal["http", "metrics"]
    port: Port
    protocol: Literal["TCP"] = "TCP"
    target_port: Port = Field(serialization_alias="targetPort")


class Selector(Wire):
    """The pods of one InferenceService."""

    app: LabelValue


class ServiceSpec(Wire):
    """A headless Service: the only kind whose pair Flagger can keep."""

    type: Literal["ClusterIP"] = "ClusterIP"
    cluster_ip: Literal["None"] = Field(default="None", serialization_alias="clusterIP")
    selector: Selector
    ports: tuple[ServicePort, ...]


class Service(Manifest):
    """One of the three Services of a model."""

    api_version: Literal["v1"] = Field(default="v1", serialization_alias="apiVersion")
    kind: Literal["Service"] = "Service"
    metadata: Metadata
    spec: ServiceSpec
