"""Policy checks of an environment's models in a preview."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from slipway.errors import SlipwayError
from slipway.objects import Object
from slipway.policy import check
from slipway.policy.rules import rules
from slipway.policy.stages import stage
from slipway.settings.environment import Environment
from slipway.settings.policies import AUDIT


def violations(
    environment: Environment, objects: Iterable[Object], running: Collection[str]
) -> tuple[list[str], list[SlipwayError]]:
    """Check compiled objects against the environment's policies, if it has any.

    Args:
        objects: All that would be declared.
        running: Names of existing InferenceServices: a policy checks only new and changed objects, and they never
            change.

    Returns:
        Notices, and what the cluster would refuse.
    """
    settings = environment.platform.policies
    if settings is None:
        return [], []
    notices, problems = list[str](), list[SlipwayError]()
    audits = stage(environment) == AUDIT
    for each in check.violations(rules(settings, environment), objects):
        if audits:
            notices.append(f"{each}; audited, not refused")
        elif each.name in running:
            notices.append(f"{each}; it is already running, and stays")
        else:
            problems.append(SlipwayError(str(each)))
    return notices, problems
