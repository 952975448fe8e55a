"""Component for the judge and observe; the judge's ledger stays when the component is deleted."""

from components.system import DATA, Objects, Outputs, System
from slipway.platform.services import JUDGE, JUDGE_PORT, NAMESPACE, OBSERVE, OBSERVE_PORT


class Services(System):
    """The judge, which decides rollouts, and observe, which measures quality.

    Outputs:
        judge: URL for Flagger, inside the cluster.
        observe: URL for applications, inside the cluster.
    """

    TOKEN = "slipway:services:Services"
    KEPT = DATA

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {
            "judge": f"http://{JUDGE}.{NAMESPACE}:{JUDGE_PORT}",
            "observe": f"http://{OBSERVE}.{NAMESPACE}:{OBSERVE_PORT}",
        }
