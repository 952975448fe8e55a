"""What models with training may take of an environment's cluster.

Cost("prod", CostArgs(objects=compile_cost(settings, context)), ResourceOptions(providers=[provider]))

The amounts have no defaults, since they are the environment's budget: cores, GiB, GPUs, pods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import install


@dataclass(frozen=True, kw_only=True, eq=False)
class CostArgs:
    """What `Cost` takes.

    Args:
        objects: Compiled by `slipway.platform.cost`.
    """

    objects: tuple[Mapping[str, Any], ...]


class Cost(pulumi.ComponentResource):
    """A quota for each of the two namespaces, with what a container reserves that says nothing.

    Outputs:
        quotas: What each namespace may reserve, by its name.
    """

    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: CostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.COST, name, None, opts)
        install(self, args.objects)
        quotas = [each for each in args.objects if each["kind"] == "ResourceQuota"]
        self.outputs = {"quotas": {each["metadata"]["namespace"]: each["spec"]["hard"] for each in quotas}}
        self.register_outputs(self.outputs)
