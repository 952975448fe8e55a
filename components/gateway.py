"""The Gateway that users reach, in an environment's cluster."""

from components.system import Objects, Outputs, System, names


class Gateway(System):
    """Gateway API with its definitions, the Gateway, behind it Traefik.

    Outputs:
        namespace: Where it is.
        gateway: Its name, which routes refer to.
    """

    TOKEN = "slipway:gateway:Gateway"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"namespace": names(objects, "Namespace")[0], "gateway": names(objects, "Gateway")[0]}
