"""Argo CD in an environment's cluster.

What it delivers (projects, the models' ApplicationSet, further Applications) is declared after its servers, so it is
deleted before them: an Application that takes its objects with it needs them for that.
"""

from components.system import Objects, Outputs, System, names


class ArgoCd(System):
    """The servers, and what they deliver.

    Outputs:
        delivers: Names of the Applications and ApplicationSets that are declared here.
    """

    TOKEN = "slipway:argocd:ArgoCd"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"delivers": sorted(names(objects, "Application", "ApplicationSet"))}
