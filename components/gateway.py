"""The Gateway that users reach, in an environment's cluster.

Gateway("prod", SystemArgs(objects=compile_gateway(settings, context)), ResourceOptions(providers=[provider]))
"""

from __future__ import annotations

from typing import Any

from components import tokens
from components.installing import names
from components.system import Objects, System


class Gateway(System):
    """Gateway API with its definitions, the Gateway, behind it Traefik.

    Outputs:
        namespace: Where it is.
        gateway: Its name, which routes refer to.
    """

    TOKEN = tokens.GATEWAY

    @staticmethod
    def describe(objects: Objects) -> dict[str, Any]:
        return {
            "namespace": names(objects, "Namespace")[0],
            "gateway": names(objects, "Gateway")[0],
        }
