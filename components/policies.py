"""The policies of an environment's cluster.

Policies("prod", SystemArgs(objects=compile_policies(settings, context)), ResourceOptions(depends_on=[kyverno]))
"""

from __future__ import annotations

from typing import Any

from components import tokens
from components.system import Objects, System


class Policies(System):
    """Each rule twice: one policy that audits, one that refuses; a namespace's label chooses.

    Outputs:
        names: Of the policies.
    """

    TOKEN = tokens.POLICIES

    @staticmethod
    def describe(objects: Objects) -> dict[str, Any]:
        return {"names": [each["metadata"]["name"] for each in objects if each["kind"] == "ValidatingPolicy"]}
