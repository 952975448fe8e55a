"""External Secrets in an environment's cluster.

On EKS its service account gets the role that may read `slipway/<environment>/*`; elsewhere an operator gives its pods
credentials of AWS.
"""

from components.system import Objects, Outputs, System
from slipway.platform.secrets import STORE


class Secrets(System):
    """The controller with the kinds that it knows, and the store that they ask.

    Outputs:
        store: Name of the ClusterSecretStore.
    """

    TOKEN = "slipway:secrets:Secrets"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"store": STORE}
