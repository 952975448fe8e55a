"""MLflow in an environment's cluster.

Mlflow("prod", MlflowArgs(objects=compile_mlflow(settings, context, Database(store.database_host, …))), options)

Secrets that must be in the store of secrets before, or be made by somebody in namespace `mlflow` where there is none:

- `mlflow-admin`: `username`, `password` (never the old default, which MLflow refuses), `flask_secret_key`
- `mlflow-database`: `username`, `password`; RDS makes its own
- `mlflow-s3`: `access_key`, `secret_key`; only for an S3 that is not of AWS
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import install


@dataclass(frozen=True, kw_only=True, eq=False)
class MlflowArgs:
    """What `Mlflow` takes.

    Args:
        objects: Compiled by `slipway.platform.mlflow`.
        artifacts: Where clients put models; None is a volume of the server's.
    """

    objects: tuple[Mapping[str, Any], ...]
    artifacts: str | None = None


class Mlflow(pulumi.ComponentResource):
    """The tracking server with its registry, behind a login, and its database where that is a pod.

    Outputs:
        url: Where it answers within the cluster.
        artifacts: Where clients put models; none is a volume of the server's.
    """

    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: MlflowArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.MLFLOW, name, None, opts)
        install(self, args.objects)
        self.outputs = {"url": "http://mlflow.mlflow:5000", "artifacts": args.artifacts}
        self.register_outputs(self.outputs)
