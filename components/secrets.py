"""External Secrets in an environment's cluster.

Secrets("prod", SystemArgs(objects=compile_secrets(settings, context)), ResourceOptions(providers=[provider]))

On EKS its service account gets the role that may read `slipway/<environment>/*`; elsewhere somebody has to give its
pods credentials of AWS.
"""

from __future__ import annotations

from typing import Any

from components import tokens
from components.system import Objects, System
from slipway.platform.secrets import STORE


class Secrets(System):
    """The controller with the kinds that it knows, and the store that they ask.

    Outputs:
        store: Name of the ClusterSecretStore.
    """

    TOKEN = tokens.SECRETS

    @staticmethod
    def describe(objects: Objects) -> dict[str, Any]:
        return {"store": STORE}
