"""What a preview reports of the policies about an environment's models."""

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
    """Hold compiled objects to the environment's policies.

    Args:
        environment: Without policies, there is nothing to say.
        objects: All that would be declared.
        running: Names of InferenceServices that are there: a policy looks at what is created or changed, and they
            never change.

    Returns:
        What a person should know, and what the cluster would refuse.
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
            notices.append(f"{each}; it runs already, and stays")
        else:
            problems.append(SlipwayError(str(each)))
    return notices, problems
