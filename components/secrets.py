"""Component for External Secrets.

On EKS its service account has the role that may read `slipway/<environment>/*`; elsewhere an operator gives its pods
AWS credentials.
"""

from components.system import Objects, Outputs, System
from slipway.platform.secrets import STORE


class Secrets(System):
    """External Secrets' controller, definitions and ClusterSecretStore.

    Outputs:
        store: Name of the ClusterSecretStore.
    """

    TOKEN = "slipway:secrets:Secrets"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"store": STORE}
