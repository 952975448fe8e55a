"""The policies that Kyverno holds the cluster to."""

from __future__ import annotations

from slipway.objects import Object
from slipway.platform.context import Context
from slipway.policy.kyverno import policies
from slipway.policy.rule import INFERENCE_SERVICE, LLM_INFERENCE_SERVICE
from slipway.policy.rules import rules
from slipway.settings.policies import PoliciesSettings

#: Kyverno reports about what is there; of kinds that are not Kubernetes' own it may read only what it is given.
READER: Object = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {
        "name": "slipway-policies",
        "labels": {"rbac.kyverno.io/aggregate-to-reports-controller": "true"},
    },
    "rules": [
        {
            "apiGroups": [INFERENCE_SERVICE.group],
            "resources": [INFERENCE_SERVICE.resource, LLM_INFERENCE_SERVICE.resource],
            "verbs": ["get", "list", "watch"],
        }
    ],
}


def compile_policies(settings: PoliciesSettings, context: Context) -> tuple[Object, ...]:
    """Return both twins of every rule: the namespaces' label chooses between them, not the environment."""
    return (READER, *policies(rules(settings, context.environment), settings.exempt_namespaces))
