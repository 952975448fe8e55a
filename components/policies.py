"""The policies of an environment's cluster."""

from components.system import Objects, Outputs, System, names


class Policies(System):
    """Each rule twice: one policy that audits, one that refuses; a namespace's label chooses.

    Outputs:
        names: Of the policies.
    """

    TOKEN = "slipway:policies:Policies"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"names": names(objects, "ValidatingPolicy")}
