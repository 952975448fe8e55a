"""The policies that Kyverno holds the cluster to."""

from __future__ import annotations

from slipway.platform.charts import Object
from slipway.platform.context import Context
from slipway.policy.settings import PoliciesSettings


def compile_policies(settings: PoliciesSettings, context: Context) -> tuple[Object, ...]:
    """Return both twins of every rule: the namespaces' label chooses between them, not the environment."""
    # The rules name what models are compiled to, which is compiled for an environment, which has these settings.
    from slipway.policy.kyverno import policies
    from slipway.policy.rules import rules

    return policies(rules(settings, context.environment), settings.exempt_namespaces)
