"""Flagger in an environment's cluster; it needs the definitions of Gateway API, which `Gateway` installs."""

from components.system import Objects, Outputs, System, names


class Flagger(System):
    """The controller with its definitions.

    Outputs:
        namespace: Where its controllers run.
    """

    TOKEN = "slipway:flagger:Flagger"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"namespace": names(objects, "Namespace")[0]}
