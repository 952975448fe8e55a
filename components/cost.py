"""What models with training may take of an environment's cluster.

The amounts have no defaults, since they are the environment's budget: cores, GiB, GPUs, pods.
"""

from components.system import Objects, Outputs, System


class Cost(System):
    """A quota for each of the two namespaces, with what a container reserves that says nothing.

    Outputs:
        quotas: What each namespace may reserve, by its name.
    """

    TOKEN = "slipway:cost:Cost"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        quotas = [each for each in objects if each["kind"] == "ResourceQuota"]
        return {"quotas": {each["metadata"]["namespace"]: each["spec"]["hard"] for each in quotas}}
