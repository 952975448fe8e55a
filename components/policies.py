"""Component for Kyverno's policies."""

from components.system import Objects, Outputs, System, names


class Policies(System):
    """Two policies for each rule, one that audits and one that enforces; a namespace's label chooses between them.

    Outputs:
        names: Of the policies.
    """

    TOKEN = "slipway:policies:Policies"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"names": names(objects, "ValidatingPolicy")}
