"""cert-manager in an environment's cluster; on EKS it is an add-on instead."""

from components.system import Objects, Outputs, System, names


class CertManager(System):
    """The controllers with their definitions.

    Outputs:
        namespace: Where its controllers run.
    """

    TOKEN = "slipway:cert_manager:CertManager"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"namespace": names(objects, "Namespace")[0]}
