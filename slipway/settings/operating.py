"""Settings of operation: network, capacity, cost, secrets, backup and Slipway's own services."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field

from slipway.documents import Frozen, Sorted
from slipway.names import NAME
from slipway.quantities import Cpu, Memory
from slipway.settings.monitoring import NAMESPACE
from slipway.settings.policies import ENFORCE, Stage


class BackupSettings(Frozen):
    """The backup: Velero."""

    bucket: str | None = Field(
        None, min_length=3, description="S3 bucket that holds the backups; the one beside a cluster on AWS."
    )
    region: str | None = Field(None, description="Region of the bucket; that of a cluster on AWS.")
    endpoint: str | None = Field(
        None, pattern=r"^https?://", description="Where an S3 that is not of AWS answers; without one, AWS."
    )
    schedule: str = Field(
        "17 2 * * *", pattern=r"^(\S+ ){4}\S+$", description="When, as cron says it, in UTC; by default 02:17."
    )
    keep_days: int = Field(30, ge=1, description="Days after which a backup with its snapshots is deleted.")
    volumes: bool = Field(True, description="Whether EBS volumes are snapshotted too.")
    image: str = Field("docker.io/velero/velero:v1.18.3", description="Velero; its version is that of the definitions.")
    plugin: str = Field("docker.io/velero/velero-plugin-for-aws:v1.13.2", description="Velero's plugin for S3 and EBS.")


class CapacitySettings(Frozen):
    """The autoscaler of node pools, and the default class of volumes."""

    image: str = Field(
        "registry.k8s.io/autoscaling/cluster-autoscaler:v1.35.0",
        description="The cluster autoscaler, of the cluster's minor version.",
    )
    unneeded_minutes: int = Field(
        10, ge=1, description="Minutes that a node is hardly used before it is removed; the autoscaler's default."
    )


class Quota(Frozen):
    """The quota of a namespace: the most that all its pods may reserve together."""

    cpu: Cpu = Field(description="Cores, as '32' or '1500m'.")
    memory: Memory = Field(description="Memory, as 128Gi.")
    gpus: int = Field(0, ge=0, description="GPUs (nvidia.com/gpu).")
    pods: int = Field(100, ge=1, description="Pods that are not finished.")


class CostSettings(Frozen):
    """The quotas of models and of training."""

    models: Quota = Field(description="Of the models' namespace: both releases of every rollout count.")
    training: Quota = Field(description="Of the training namespace.")
    keda: bool = Field(False, description="Whether KEDA is in the cluster: models may scale by requests then.")


class SecretsSettings(Frozen):
    """External Secrets, which reads AWS Secrets Manager."""

    region: str | None = Field(
        None,
        pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$",
        description="Region of Secrets Manager, as eu-central-1; that of a cluster on AWS.",
    )
    replicas: int = Field(1, ge=1, description="Controllers, of which one leads; one is the chart's default.")
    namespaces: tuple[str, ...] = Field(
        ("argocd", "feature-store", "mlflow", "monitoring"),
        min_length=1,
        description="Namespaces that may read the store; models need no secret.",
    )


class ServicesSettings(Frozen):
    """Slipway's own services: the judge and observe."""

    image: str = Field(
        min_length=1,
        description="Their image, built by `docker build .` in a checkout; kubelet pulls it from your registry.",
    )
    storage_gib: Annotated[int, Field(ge=1)] | None = Field(
        1, description="GiB of the ledger's volume; a rollout takes some 10 kB. None forgets it with the pod."
    )
    drift_image: str | None = Field(
        None,
        description="Image of the job that writes Evidently's reports of drift, of `docker build --target drift .`;"
        " without one there is no such job.",
    )
    drift_schedule: str = Field(
        "23 5 * * *", description="When that job runs, as cron says it, in UTC; by default 05:23."
    )
    senders: tuple[Annotated[str, Field(pattern=NAME)], ...] = Field(
        (), description="Namespaces of applications that send labels; any of them can influence the judge."
    )


def _is_network(cidr: str) -> str:
    try:
        return str(ipaddress.IPv4Network(cidr))
    except ValueError:
        raise ValueError(f"expected an IPv4 network, as '10.0.0.0/16', got {cidr!r}") from None


class Destination(Frozen):
    """A network outside of the cluster that pods may reach."""

    cidr: Annotated[str, AfterValidator(_is_network)] = Field(description="Its network, as 10.0.0.0/16.")
    ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = Field(
        (443,), min_length=1, description="TCP ports that may be reached there."
    )


class NetworkSettings(Frozen):
    """The namespaces of models and of training, and what may reach them."""

    training_namespace: str = Field("training", pattern=NAME, description="Where training jobs run.")
    monitoring_namespace: str = Field(
        NAMESPACE,
        pattern=NAME,
        description="Namespace of the Prometheus that may read the models' metrics; only one that this environment does"
        " not install itself (platform.monitoring) may be in another.",
    )
    stage: Stage = Field(
        ENFORCE, description="Stage of the policies in these namespaces: audit reports, enforce refuses."
    )
    egress: Sorted[Annotated[str, Field(pattern=NAME)], Destination] = Field(
        default_factory=dict,
        description="Networks outside the cluster that models and training may reach, by name; no others.",
    )
