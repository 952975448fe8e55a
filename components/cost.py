"""Component for the resource quotas of models and training.

The amounts have no defaults, because they are the environment's budget: cores, GiB, GPUs and pods.
"""

from components.system import Objects, Outputs, System


class Cost(System):
    """Quota for each of the two namespaces, and the default requests of containers that declare none.

    Outputs:
        quotas: Hard limits by namespace.
    """

    TOKEN = "slipway:cost:Cost"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        quotas = [each for each in objects if each["kind"] == "ResourceQuota"]
        return {"quotas": {each["metadata"]["namespace"]: each["spec"]["hard"] for each in quotas}}
