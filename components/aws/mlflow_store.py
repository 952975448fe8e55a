"""Where MLflow keeps what it knows, on AWS.

store = MlflowStore("slipway-prod-mlflow", MlflowStoreArgs(bucket=…, keep_days=365, database=DatabaseArgs(…)),
                    ResourceOptions(providers=[aws]))
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components import tokens
from components.aws.bucket import Bucket, BucketArgs
from components.aws.database import PORT, Database, DatabaseArgs

#: Name of the database in the instance.
DATABASE = "mlflow"


@dataclass(frozen=True, kw_only=True, eq=False)
class MlflowStoreArgs:
    """What `MlflowStore` takes.

    Args:
        bucket: Name of the bucket for artifacts.
        keep_days: How long an artifact cannot be deleted.
        database: Of the tracking server and the registry.
    """

    bucket: str
    keep_days: int
    database: DatabaseArgs


class MlflowStore(pulumi.ComponentResource):
    """A database with a bucket.

    Outputs:
        bucket: Name of the bucket.
        database_host: Address of the database.
        database_port: Its port.
        database_name: Its name.
        database_secret_arn: In Secrets Manager: JSON with `username`, `password`.
    """

    bucket: str
    database_host: pulumi.Output[str]
    database_port = PORT
    database_name = DATABASE
    database_secret_arn: pulumi.Output[str]

    def __init__(self, name: str, args: MlflowStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.MLFLOW_STORE, name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        Bucket(args.bucket, BucketArgs(keep_days=args.keep_days, protect=args.database.protect), own)
        database = Database(name, args.database, own)
        self.bucket, self.database_host, self.database_secret_arn = args.bucket, database.host, database.secret_arn
        self.register_outputs({"bucket": self.bucket, "database_host": self.database_host})
