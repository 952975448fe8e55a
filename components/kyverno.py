"""Kyverno in an environment's cluster.

Kyverno("prod", SystemArgs(objects=compile_kyverno(settings, context)), ResourceOptions(providers=[provider]))
"""

from __future__ import annotations

from typing import Any

from components import tokens
from components.installing import names
from components.system import Objects, System


class Kyverno(System):
    """The admission controller with the kinds of policies that it knows; no policy.

    Outputs:
        namespace: Where its controllers run.
    """

    TOKEN = tokens.KYVERNO

    @staticmethod
    def describe(objects: Objects) -> dict[str, Any]:
        return {"namespace": names(objects, "Namespace")[0]}
