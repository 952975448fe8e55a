"""The judge and observe in an environment's cluster; the judge's ledger stays when the component goes."""

from components.system import DATA, Objects, Outputs, System
from slipway.platform.services import JUDGE, JUDGE_PORT, NAMESPACE, OBSERVE, OBSERVE_PORT


class Services(System):
    """What decides about rollouts, what knows whether answers were right.

    Outputs:
        judge: Where Flagger asks, from inside of the cluster.
        observe: Where applications send.
    """

    TOKEN = "slipway:services:Services"
    KEPT = DATA

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {
            "judge": f"http://{JUDGE}.{NAMESPACE}:{JUDGE_PORT}",
            "observe": f"http://{OBSERVE}.{NAMESPACE}:{OBSERVE_PORT}",
        }
