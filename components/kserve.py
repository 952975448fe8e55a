"""Component for KServe; it needs cert-manager, which signs the certificate of its webhooks."""

from components.system import Objects, Outputs, System, names


class Kserve(System):
    """KServe's controller, definitions, webhooks and runtimes.

    Outputs:
        namespace: Of its controllers.
        runtimes: Allowed values of a setting `runtime`.
    """

    TOKEN = "slipway:kserve:Kserve"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"namespace": names(objects, "Namespace")[0], "runtimes": names(objects, "ClusterServingRuntime")}
