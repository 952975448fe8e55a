"""cert-manager in an environment's cluster.

args = SystemArgs(objects=compile_cert_manager(settings, context))
CertManager("prod", args, ResourceOptions(providers=[provider]))

An environment on EKS leaves it out: there it is an add-on of the cluster.
"""

from __future__ import annotations

from typing import Any

from components import tokens
from components.installing import names
from components.system import Objects, System


class CertManager(System):
    """The controllers with their definitions.

    Outputs:
        namespace: Where its controllers run.
    """

    TOKEN = tokens.CERT_MANAGER

    @staticmethod
    def describe(objects: Objects) -> dict[str, Any]:
        return {"namespace": names(objects, "Namespace")[0]}
