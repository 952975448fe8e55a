"""KServe in an environment's cluster.

Kserve("prod", SystemArgs(objects=compile_kserve(settings, context)), ResourceOptions(providers=[provider]))

Needs cert-manager in the cluster, which signs the certificate of its webhooks.
"""

from __future__ import annotations

from typing import Any

from components import tokens
from components.installing import names
from components.system import Objects, System


class Kserve(System):
    """The controller with its definitions, its webhooks, its runtimes.

    Outputs:
        namespace: Where its controllers run.
        runtimes: What a setting `runtime` may name.
    """

    TOKEN = tokens.KSERVE

    @staticmethod
    def describe(objects: Objects) -> dict[str, Any]:
        return {
            "namespace": names(objects, "Namespace")[0],
            "runtimes": names(objects, "ClusterServingRuntime"),
        }
