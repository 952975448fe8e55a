"""What models with training may take of an environment's cluster.

Cost("prod", SystemArgs(objects=compile_cost(settings, context)), ResourceOptions(providers=[provider]))

The amounts have no defaults, since they are the environment's budget: cores, GiB, GPUs, pods.
"""

from __future__ import annotations

from typing import Any

from components import tokens
from components.system import Objects, System


class Cost(System):
    """A quota for each of the two namespaces, with what a container reserves that says nothing.

    Outputs:
        quotas: What each namespace may reserve, by its name.
    """

    TOKEN = tokens.COST

    @staticmethod
    def describe(objects: Objects) -> dict[str, Any]:
        quotas = [each for each in objects if each["kind"] == "ResourceQuota"]
        return {"quotas": {each["metadata"]["namespace"]: each["spec"]["hard"] for each in quotas}}
