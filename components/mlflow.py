"""MLflow in an environment's cluster.

Mlflow("prod", SystemArgs(objects=compile_mlflow(settings, context, Database(store.database_host, …))), options)

Secrets that must be in the store of secrets before, or be made by somebody in namespace `mlflow` where there is none:

- `mlflow-admin`: `username`, `password` (never the old default, which MLflow refuses), `flask_secret_key`
- `mlflow-database`: `username`, `password`; RDS makes its own
- `mlflow-s3`: `access_key`, `secret_key`; only for an S3 that is not of AWS
"""

from __future__ import annotations

from typing import Any

from components import tokens
from components.system import Objects, System


class Mlflow(System):
    """The tracking server with its registry, behind a login, and its database where that is a pod.

    Outputs:
        url: Where it answers within the cluster.
        artifacts: Where clients put models; none is a volume of the server's.
    """

    TOKEN = tokens.MLFLOW

    @staticmethod
    def describe(objects: Objects) -> dict[str, Any]:
        (server,) = (each for each in objects if each["kind"] == "Deployment" and each["metadata"]["name"] == "mlflow")
        words = server["spec"]["template"]["spec"]["containers"][0]["args"]
        root = "--default-artifact-root="
        artifacts = next((word.removeprefix(root) for word in words if word.startswith(root)), None)
        return {"url": "http://mlflow.mlflow:5000", "artifacts": artifacts}
