"""The policies of an environment's cluster.

Policies("prod", PoliciesArgs(objects=compile_policies(settings, context)), ResourceOptions(depends_on=[kyverno]))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import install


@dataclass(frozen=True, kw_only=True, eq=False)
class PoliciesArgs:
    """What `Policies` takes.

    Args:
        objects: Compiled by `slipway.platform.policies`.
    """

    objects: tuple[Mapping[str, Any], ...]


class Policies(pulumi.ComponentResource):
    """Each rule twice: one policy that audits, one that refuses; a namespace's label chooses.

    Outputs:
        names: Of the policies.
    """

    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: PoliciesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.POLICIES, name, None, opts)
        install(self, args.objects)
        self.outputs = {
            "names": [each["metadata"]["name"] for each in args.objects if each["kind"] == "ValidatingPolicy"]
        }
        self.register_outputs(self.outputs)
