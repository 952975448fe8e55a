"""The namespaces of models with those of training, in an environment's cluster.

Needs a network plugin that honours NetworkPolicy; where the plugin has none, the policies are accepted, without effect.
"""

from components.system import Objects, Outputs, System, names


class Network(System):
    """Two namespaces, shut in both directions but for what their settings name.

    Outputs:
        namespaces: Their names.
    """

    TOKEN = "slipway:network:Network"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"namespaces": names(objects, "Namespace")}
