"""Compiler of Kyverno's policies."""

from __future__ import annotations

from slipway.objects import Object
from slipway.platform.context import Context
from slipway.platform.systems import may_read
from slipway.platform.workloads import RBAC
from slipway.policy.kyverno import policies
from slipway.policy.rule import INFERENCE_SERVICE, LLM_INFERENCE_SERVICE
from slipway.policy.rules import rules
from slipway.settings.policies import PoliciesSettings

#: Kyverno's reports need explicit permission to read custom kinds.
READER: Object = {
    "apiVersion": f"{RBAC}/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "slipway-policies", "labels": {"rbac.kyverno.io/aggregate-to-reports-controller": "true"}},
    "rules": [may_read(INFERENCE_SERVICE.group, INFERENCE_SERVICE.resource, LLM_INFERENCE_SERVICE.resource)],
}


def compile_policies(settings: PoliciesSettings, context: Context) -> tuple[Object, ...]:
    """Compile both variants of every rule; a namespace's label chooses between them."""
    return (READER, *policies(rules(settings, context.environment), settings.exempt_namespaces))
