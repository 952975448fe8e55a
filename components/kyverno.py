"""Kyverno in an environment's cluster."""

from components.system import Objects, Outputs, System, names


class Kyverno(System):
    """The admission controller with the kinds of policies that it knows; no policy.

    Outputs:
        namespace: Where its controllers run.
    """

    TOKEN = "slipway:kyverno:Kyverno"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"namespace": names(objects, "Namespace")[0]}
