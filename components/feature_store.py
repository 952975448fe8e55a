"""Component for Feast.

On EKS the registry is a file in the bucket `features` and the online store is DynamoDB, both used by the role of the
service account; elsewhere both are files on a volume.
"""

from components.system import Objects, Outputs, System
from slipway.platform.feature_store import NAME, NAMESPACE, PORT


class FeatureStore(System):
    """Feast's feature server; only models and training may send requests to it.

    Outputs:
        url: Its URL inside the cluster.
    """

    TOKEN = "slipway:feature_store:FeatureStore"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"url": f"http://{NAME}.{NAMESPACE}:{PORT}"}
