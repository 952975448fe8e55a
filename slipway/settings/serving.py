"""Settings of the serving systems: gateway, KServe, Flagger, cert-manager and Kyverno."""

from typing import Literal

from pydantic import Field

from slipway.documents import Frozen, Sorted
from slipway.models.servers import MLSERVER, STORAGE
from slipway.quantities import Memory

#: The Secret that holds the certificate of all models' names.
CERTIFICATE = "models-tls"


class GatewaySettings(Frozen):
    """The Gateway that users reach, with Traefik behind it; without it another program makes the Gateway."""

    replicas: int = Field(1, ge=1, description="Pods of Traefik; two survive the loss of a node.")
    service: Literal["LoadBalancer", "ClusterIP"] = Field(
        "LoadBalancer", description="ClusterIP if another proxy of the cluster, such as an ingress, is in front of it."
    )
    annotations: Sorted[str, str] = Field(
        {}, description="For the cloud's load balancer: whether it is internal, its subnets, its logs."
    )
    issuer: str | None = Field(
        None,
        description=f"cert-manager's ClusterIssuer that signs for *.<host_suffix>; without one the Secret {CERTIFICATE}"
        " must be put beside the Gateway. Only asked where gateway.scheme is https.",
    )


class CertManagerSettings(Frozen):
    """cert-manager, which signs the certificates of KServe's webhooks; on EKS it is an add-on of the cluster."""

    replicas: int = Field(1, ge=1, description="Controllers and webhooks of each; two survive a lost node.")


class FlaggerSettings(Frozen):
    """Flagger, which moves the traffic."""

    replicas: int = Field(
        1,
        ge=1,
        description="Controllers, of which one leads; two survive the loss of a node. Its chart's default is one.",
    )


class KserveSettings(Frozen):
    """KServe, which runs InferenceServices; its webhooks need cert-manager in the cluster."""

    mode: Literal["Standard", "Knative"] = Field(
        "Standard",
        description="The default of models: Standard makes Deployments, Knative makes services of Knative, which the "
        "cluster must have then. Canaries need Standard, KServe's own default is Knative.",
    )
    replicas: int = Field(
        1, ge=1, description="Controllers, of which one leads; all answer the webhooks. Two survive the loss of a node."
    )
    runtimes: tuple[str, ...] = Field(
        (MLSERVER.runtime,),
        min_length=1,
        description="KServe's runtimes that are installed; each is one more image to maintain.",
    )
    mlserver: str = Field(
        "docker.io/seldonio/mlserver:1.7.1",
        pattern=r"^[^\s:]+(:[0-9]+/[^\s:]+)?:[^\s:]+$",
        description=f"Image of {MLSERVER.runtime}, with its tag. Its MLflow must be able to read the models: "
        "what MLflow 3 logged needs MLflow 3 there.",
    )
    storage: tuple[str, ...] = Field(
        (STORAGE,),
        min_length=1,
        description="How the address of a model's files may begin; KServe itself would also fetch from anywhere by "
        "https and from Hugging Face.",
    )


class NodeCacheSettings(Frozen):
    """Copies of weights on the disks of one pool's nodes."""

    pool: str = Field("gpu", min_length=1, description="The nodes: those whose label slipway.dev/pool says so.")
    size: Memory = Field(description="Size of all weights together on each node.")


class LlmServingSettings(Frozen):
    """KServe's controller of LLMs; needs platform.kserve, whose namespace it shares."""

    replicas: int = Field(1, ge=1, description="Controllers, of which one leads; all answer the webhooks.")
    node_cache: NodeCacheSettings | None = Field(
        None, description="Keeps weights on nodes, so that a replica starts without a download."
    )


class KyvernoSettings(Frozen):
    """Kyverno, which refuses an object that breaks a policy."""

    replicas: int = Field(
        1,
        ge=1,
        description="Admission controllers; with one, every write that a policy covers waits while it restarts. "
        "Kyverno's own guide says three.",
    )
    reports: bool = Field(
        True,
        description="Whether existing objects are checked too, in reports: the only result of a policy that audits.",
    )
