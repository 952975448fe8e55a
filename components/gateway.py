"""Component for the environment's Gateway."""

from components.system import Objects, Outputs, System, names


class Gateway(System):
    """Gateway API's definitions, the Gateway and Traefik.

    Outputs:
        namespace: The Gateway's namespace.
        gateway: Its name, which routes refer to.
    """

    TOKEN = "slipway:gateway:Gateway"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"namespace": names(objects, "Namespace")[0], "gateway": names(objects, "Gateway")[0]}
