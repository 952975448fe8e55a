"""Component for MLflow.

These Secrets must be in the secret store first; without a store, an operator creates them in namespace `mlflow`:

- `mlflow-admin`: `username`, `password` (MLflow refuses its old default), `flask_secret_key`
- `mlflow-database`: `username`, `password`; RDS makes its own
- `mlflow-s3`: `access_key`, `secret_key`; only for an S3 service outside AWS
"""

from components.system import Objects, Outputs, System
from slipway.platform.mlflow import NAMESPACE, PORT


class Mlflow(System):
    """MLflow's tracking server and registry with authentication, and its database if that is a pod.

    Outputs:
        url: Its URL inside the cluster.
        artifacts: Where clients store models; None is a volume of the server.
    """

    TOKEN = "slipway:mlflow:Mlflow"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        (server,) = (each for each in objects if each["kind"] == "Deployment" and each["metadata"]["name"] == "mlflow")
        words = server["spec"]["template"]["spec"]["containers"][0]["args"]
        root = "--default-artifact-root="
        artifacts = next((word.removeprefix(root) for word in words if word.startswith(root)), None)
        return {"url": f"http://mlflow.{NAMESPACE}:{PORT}", "artifacts": artifacts}
