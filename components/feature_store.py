"""Feast in an environment's cluster.

On EKS its registry is a file in the bucket `features`, its online store DynamoDB, both by the role of its service
account; elsewhere both are files on a volume.
"""

from components.system import Objects, Outputs, System
from slipway.platform.feature_store import NAME, NAMESPACE, PORT


class FeatureStore(System):
    """The server of features; models with training may ask it, nobody else.

    Outputs:
        url: Where it answers within the cluster.
    """

    TOKEN = "slipway:feature_store:FeatureStore"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"url": f"http://{NAME}.{NAMESPACE}:{PORT}"}
