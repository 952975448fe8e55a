"""The namespaces of models with those of training, in an environment's cluster.

Network("prod", SystemArgs(objects=compile_network(settings, context)), ResourceOptions(providers=[provider]))

Needs a network plugin that honours NetworkPolicy; where the plugin has none, the policies are accepted, without effect.
"""

from __future__ import annotations

from typing import Any

from components import tokens
from components.system import Objects, System


class Network(System):
    """Two namespaces, shut in both directions but for what their settings name.

    Outputs:
        namespaces: Their names.
    """

    TOKEN = tokens.NETWORK

    @staticmethod
    def describe(objects: Objects) -> dict[str, Any]:
        return {"namespaces": [each["metadata"]["name"] for each in objects if each["kind"] == "Namespace"]}
