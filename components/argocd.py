"""Component for Argo CD.

Applications are declared after the servers, so they are deleted first: an Application that deletes its objects needs
the servers for that.
"""

from components.system import Objects, Outputs, System, names


class ArgoCd(System):
    """Argo CD's servers and the Applications that they deliver.

    Outputs:
        delivers: Names of the Applications and ApplicationSets.
    """

    TOKEN = "slipway:argocd:ArgoCd"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {"delivers": sorted(names(objects, "Application", "ApplicationSet"))}
