"""Component for the namespaces of models and training.

It needs a network plugin that enforces NetworkPolicy; other plugins accept the policies without effect.
"""

from components.system import Objects, Outputs, System, names


class Network(System):
    """Two namespaces, closed in both directions except for the configured openings.

    Outputs:
        namespaces: Their names.
    """

    TOKEN = "slipway:network:Network"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"namespaces": names(objects, "Namespace")}
