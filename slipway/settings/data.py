"""Settings of the data systems: MLflow and the feature store."""

from typing import Literal

from pydantic import Field

from slipway.documents import Frozen
from slipway.models.servers import STORAGE


class MlflowSettings(Frozen):
    """The MLflow server of the environment."""

    database: Literal["rds", "postgres", "sqlite"] = Field(
        "postgres",
        description="rds: made on AWS, beside the cluster; postgres: a pod with a volume; sqlite: a file on one.",
    )
    artifacts: str | None = Field(
        None,
        pattern=rf"^{STORAGE}[^/]+(/.+)?[^/]$",
        description=f"Where clients put models, as {STORAGE}bucket/path; without it the bucket beside a cluster on AWS,"
        " else a volume, from which nothing can be served.",
    )
    s3_endpoint: str | None = Field(
        None, pattern=r"^https?://.*[^/]$", description="Where an S3 that is not of AWS answers."
    )
    storage_gib: int | None = Field(
        20, ge=1, description="GiB of each volume; none keeps data only as long as the pod, as a lab may."
    )
    host: str | None = Field(None, description="Host for people, behind the environment's Gateway.")
    permission: Literal["NO_PERMISSIONS", "READ", "EDIT"] = Field(
        "READ", description="Permission of a user without any other; READ is MLflow's default."
    )
    replicas: int = Field(1, ge=1, description="Servers; more than one need a database that is no file.")
    workers: int = Field(2, ge=1, description="Processes of each server; one takes 264 MB when idle.")
    image: str = Field(
        "ghcr.io/mlflow/mlflow:v3.17.2-full", description="MLflow's image `full`, with PostgreSQL, S3 and logins."
    )


class FeatureStoreSettings(Frozen):
    """The feature store: Feast."""

    replicas: int = Field(1, ge=1, description="Servers, beside a cluster on AWS; elsewhere there is one.")
    cache_seconds: int = Field(60, ge=1, description="Seconds until a server sees what was applied to the registry.")
    storage_gib: int | None = Field(
        5, ge=1, description="GiB of the volume where there is no AWS; nothing loses it with the pod."
    )
    image: str = Field(
        "quay.io/feastdev/feature-server:0.67.0", description="Feast; teams apply their features with the same version."
    )
