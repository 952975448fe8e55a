"""Settings of an environment's policies."""

from typing import Literal

from pydantic import Field

from slipway.documents import Frozen


class PoliciesSettings(Frozen):
    """The bounds of the policies, for previews and for Kyverno in the cluster."""

    buckets: tuple[str, ...] = Field(
        ("mlflow",),
        min_length=1,
        description="S3 buckets that models may be loaded from, besides the environment's own.",
    )
    registries: tuple[str, ...] = Field(
        ("docker.io/kserve/", "docker.io/seldonio/", "ghcr.io/llm-d/", "kserve/"),
        min_length=1,
        description="What the name of an image may begin with, besides the environment's own registry; the default is "
        "where KServe's own runtimes come from.",
    )
    max_gpus: int = Field(
        2, ge=0, description="GPUs of one pod; more needs a reason: serving.business_case of its model."
    )
    min_replicas: int = Field(1, ge=0, description="Fewest replicas of a model; 0 allows to scale to zero.")
    max_replicas: int = Field(20, ge=1, description="Most replicas of a model.")
    exempt_namespaces: tuple[str, ...] = Field(
        ("kube-system", "kube-public", "kube-node-lease", "kyverno"),
        description="Namespaces without policies: the cluster's own and those of other tenants.",
    )


#: `audit` reports and warns what `enforce` refuses.
Stage = Literal["audit", "enforce"]
AUDIT: Stage = "audit"
ENFORCE: Stage = "enforce"
