"""MLflow in an environment's cluster.

Secrets that must be in the store of secrets first; without a store, an operator makes them in namespace `mlflow`:

- `mlflow-admin`: `username`, `password` (never the old default, which MLflow refuses), `flask_secret_key`
- `mlflow-database`: `username`, `password`; RDS makes its own
- `mlflow-s3`: `access_key`, `secret_key`; only for an S3 that is not of AWS
"""

from components.system import Objects, Outputs, System
from slipway.platform.mlflow import NAMESPACE, PORT


class Mlflow(System):
    """The tracking server with its registry, behind a login, and its database where that is a pod.

    Outputs:
        url: Where it answers within the cluster.
        artifacts: Where clients put models; none is a volume of the server's.
    """

    TOKEN = "slipway:mlflow:Mlflow"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        (server,) = (each for each in objects if each["kind"] == "Deployment" and each["metadata"]["name"] == "mlflow")
        words = server["spec"]["template"]["spec"]["containers"][0]["args"]
        root = "--default-artifact-root="
        artifacts = next((word.removeprefix(root) for word in words if word.startswith(root)), None)
        return {"url": f"http://mlflow.{NAMESPACE}:{PORT}", "artifacts": artifacts}
