"""The judge with observe in an environment's cluster.

Services("prod", SystemArgs(objects=compile_services(settings, context)), ResourceOptions(providers=[provider]))

Defaults: a ledger of 1 GiB, no namespace but the models' may send. The ledger stays when the component goes.
"""

from __future__ import annotations

from typing import Any

from components import tokens
from components.installing import DATA
from components.system import Objects, System
from slipway.platform.services import JUDGE, JUDGE_PORT, NAMESPACE, OBSERVE, OBSERVE_PORT


class Services(System):
    """What decides about rollouts, what knows whether answers were right.

    Outputs:
        judge: Where Flagger asks, from inside of the cluster.
        observe: Where applications send.
    """

    TOKEN = tokens.SERVICES
    KEPT = DATA

    @staticmethod
    def describe(objects: Objects) -> dict[str, Any]:
        return {
            "judge": f"http://{JUDGE}.{NAMESPACE}:{JUDGE_PORT}",
            "observe": f"http://{OBSERVE}.{NAMESPACE}:{OBSERVE_PORT}",
        }
