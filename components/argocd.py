"""Argo CD in an environment's cluster.

ArgoCd("prod", SystemArgs(objects=compile_argocd(settings, context)), ResourceOptions(providers=[provider]))

What it delivers (projects, the models' ApplicationSet, further Applications) is declared after its servers, so it is
deleted before them: an Application that takes its objects with it needs them for that.
"""

from __future__ import annotations

from typing import Any

from components import tokens
from components.system import Objects, System


class ArgoCd(System):
    """The servers, and what they deliver.

    Outputs:
        delivers: Names of the Applications and ApplicationSets that are declared here.
    """

    TOKEN = tokens.ARGOCD

    @staticmethod
    def describe(objects: Objects) -> dict[str, Any]:
        delivers = [each for each in objects if each["kind"] in ("Application", "ApplicationSet")]
        return {"delivers": sorted(str(each["metadata"]["name"]) for each in delivers)}
