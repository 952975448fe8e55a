"""Settings of an environment's own cluster on AWS."""

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from slipway import names
from slipway.documents import Frozen, Sorted
from slipway.names import NAME

#: Of an IAM user or role; a session of a role (arn:aws:sts::…:assumed-role/…) is no principal of an access entry.
PRINCIPAL = r"^arn:aws:iam::\d{12}:(role|user)/.+$"
TAINT = r"^[^=:]+=[^=:]*:(NoSchedule|PreferNoSchedule|NoExecute)$"


def _network(text: str) -> str:
    # A VPC is at most a /16 (VPC user guide); below a /20 a zone's nodes would have fewer than 500 addresses.
    found = _parsed(text)
    if not found or found.version != 4 or not 16 <= found.prefixlen <= 20 or not found.is_private:
        raise ValueError(f"expected a private network from /16 to /20, as 10.0.0.0/16 is, got {text!r}")
    return text


def _some_networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        found = _parsed(text)
        if not found or found.prefixlen < 8:
            everyone = ", which is everyone" if found else ""
            raise ValueError(f"expected your own networks, such as 203.0.113.0/24, got {text!r}{everyone}")
    return texts


def _parsed(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


class NodePool(Frozen):
    """A pool of equal nodes."""

    instance_types: tuple[str, ...] = Field(
        min_length=1, description="EC2 instance types, the preferred one first; spot wants several."
    )
    capacity: Literal["on-demand", "spot"] = Field(
        "on-demand", description="on-demand, or spot: cheaper, and taken back with two minutes' notice."
    )
    minimum: int = Field(0, ge=0, description="Smallest number of nodes.")
    maximum: int = Field(ge=1, description="Largest number of nodes, which bounds the cost of the pool.")
    disk_gb: int = Field(100, ge=20, description="GiB of a node's encrypted gp3 disk: images and model files.")
    gpu: bool = Field(False, description="Whether the nodes have NVIDIA GPUs: chooses the image with their drivers.")
    taints: tuple[Annotated[str, Field(pattern=TAINT)], ...] = Field(
        (), description="key=value:Effect; only pods that tolerate them run here."
    )


#: Keeps pods without GPUs off GPU nodes; EKS adds the toleration to pods that request one.
GPU_TAINT = f"{names.GPU}=present:NoSchedule"
#: Label of every node: its pool.
POOL_LABEL = f"{names.PREFIX}pool"
TRAINING_TAINT = f"{POOL_LABEL}=training:NoSchedule"


def default_pools() -> dict[str, NodePool]:
    """Return the node pools of a cluster whose settings name none.

    Not a constant: the first instance of a model loads pydantic's plugins, half of what importing the settings took.
    """
    return {
        "gpu": NodePool(instance_types=("g6.2xlarge",), maximum=4, disk_gb=200, gpu=True, taints=(GPU_TAINT,)),
        "serving": NodePool(instance_types=("m7i.2xlarge",), minimum=2, maximum=10),
        "system": NodePool(instance_types=("m7i.xlarge",), minimum=2, maximum=4),
        "training": NodePool(
            instance_types=("m7i.2xlarge", "m6i.2xlarge", "m7a.2xlarge"),
            capacity="spot",
            maximum=10,
            taints=(TRAINING_TAINT,),
        ),
    }


class DatabaseSettings(Frozen):
    """The database of MLflow: RDS for PostgreSQL."""

    instance: str = Field("db.m7g.large", pattern=r"^db\.", description="RDS instance class.")
    version: str = Field("17", pattern=r"^\d\d$", description="Major version of PostgreSQL; RDS updates minor ones.")
    storage_gb: int = Field(50, ge=20, description="GiB of storage; grows by itself up to five times that.")
    standby: bool = Field(True, description="Whether a second instance in another zone takes over; doubles the price.")
    backup_days: int = Field(14, ge=7, le=35, description="Days back to which it can be restored to any second.")


class EksSettings(Frozen):
    """A cluster of our own on AWS, with its network, keys and roles."""

    account: str = Field(pattern=r"^\d{12}$", description="AWS account number; credentials of another are refused.")
    region: str = Field(min_length=1, description="AWS region, as eu-central-1.")
    zones: tuple[Annotated[str, Field(pattern=r"^[a-z]$")], ...] = Field(
        ("a", "b", "c"), min_length=2, max_length=6, description="Letters of its availability zones; EKS wants two."
    )
    network: Annotated[str, AfterValidator(_network)] = Field(
        "10.0.0.0/16", description="IPv4 network of the VPC; two regions that are ever joined need different ones."
    )
    nat: Literal["each-zone", "one"] = Field(
        "each-zone", description="NAT gateways: each-zone survives the loss of one; one costs a third."
    )
    version: str = Field("1.35", pattern=r"^1\.\d\d$", description="Kubernetes version; one minor at a time upwards.")
    admins: tuple[Annotated[str, Field(pattern=PRINCIPAL)], ...] = Field(
        min_length=1, description="ARNs of IAM roles that administer it; what runs `pulumi up` must be among them."
    )
    viewers: tuple[Annotated[str, Field(pattern=PRINCIPAL)], ...] = Field(
        (), description="ARNs of IAM roles that may read everything in it but Secrets."
    )
    public_access: Annotated[tuple[str, ...], AfterValidator(_some_networks)] = Field(
        (), description="Networks that reach its API from outside the VPC; none: it has only a private address."
    )
    pools: Sorted[Annotated[str, Field(pattern=NAME)], NodePool] = Field(
        default_factory=default_pools,
        description="Node pools; pods choose by the label slipway.dev/pool. The default has four.",
    )
    addons: Sorted[str, str] = Field(
        {}, description="Versions of EKS add-ons by name; for others AWS chooses when they are made, then they stay."
    )
    log_days: Literal[30, 90, 180, 365] = Field(
        90, description="Days that logs of the control plane and of the network are kept."
    )
    endpoints: tuple[str, ...] = Field(
        ("ecr.api", "ecr.dkr", "eks-auth", "s3", "secretsmanager", "sts"),
        description="AWS services with an address inside the VPC: pods may reach them where all else is shut.",
    )
    database: DatabaseSettings = Field(
        default_factory=DatabaseSettings, description="The database of MLflow, if that is installed."
    )
    artifact_buckets: tuple[str, ...] = Field(
        (), description="Buckets that models are read from, besides the one of an MLflow that is installed here."
    )
    keep_days: int = Field(
        365, ge=1, description="Days that a version of an artifact, or a backup, cannot be deleted (S3 Object Lock)."
    )
    repositories: tuple[str, ...] = Field(
        ("models", "runtimes", "slipway"), description="ECR repositories, each below slipway/<environment>/."
    )
    replicate_to: tuple[str, ...] = Field(
        (), description="Regions that images are copied to, with the same digests: those of the stacks that come after."
    )
