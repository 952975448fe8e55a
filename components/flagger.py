"""Flagger in an environment's cluster.

Flagger("prod", SystemArgs(objects=compile_flagger(settings, context)), ResourceOptions(providers=[provider]))

Needs the definitions of Gateway API, which `Gateway` installs.
"""

from __future__ import annotations

from typing import Any

from components import tokens
from components.installing import names
from components.system import Objects, System


class Flagger(System):
    """The controller with its definitions.

    Outputs:
        namespace: Where its controllers run.
    """

    TOKEN = tokens.FLAGGER

    @staticmethod
    def describe(objects: Objects) -> dict[str, Any]:
        return {"namespace": names(objects, "Namespace")[0]}
