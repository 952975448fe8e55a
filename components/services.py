"""The judge with observe in an environment's cluster.

Services("prod", ServicesArgs(objects=compile_services(settings, context)), ResourceOptions(providers=[provider]))

Defaults: a ledger of 1 GiB, no namespace but the models' may send. The ledger stays when the component goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import DATA, install
from slipway.platform.services import JUDGE, JUDGE_PORT, NAMESPACE, OBSERVE, OBSERVE_PORT


@dataclass(frozen=True, kw_only=True, eq=False)
class ServicesArgs:
    """What `Services` takes.

    Args:
        objects: Compiled by `slipway.platform.services`.
    """

    objects: tuple[Mapping[str, Any], ...]


class Services(pulumi.ComponentResource):
    """What decides about rollouts, what knows whether answers were right.

    Outputs:
        judge: Where Flagger asks, from inside of the cluster.
        observe: Where applications send.
    """

    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: ServicesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.SERVICES, name, None, opts)
        install(self, args.objects, kept=DATA)
        self.outputs = {
            "judge": f"http://{JUDGE}.{NAMESPACE}:{JUDGE_PORT}",
            "observe": f"http://{OBSERVE}.{NAMESPACE}:{OBSERVE_PORT}",
        }
        self.register_outputs(self.outputs)
