"""KServe in an environment's cluster; it needs cert-manager, which signs the certificate of its webhooks."""

from components.system import Objects, Outputs, System, names


class Kserve(System):
    """The controller with its definitions, its webhooks, its runtimes.

    Outputs:
        namespace: Where its controllers run.
        runtimes: What a setting `runtime` may name.
    """

    TOKEN = "slipway:kserve:Kserve"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"namespace": names(objects, "Namespace")[0], "runtimes": names(objects, "ClusterServingRuntime")}
