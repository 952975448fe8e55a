"""What a preview says of the policies.

Of models it looks at all that is declared; of the platform, at the pods that would be started where policies enforce.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from slipway.errors import SlipwayError
from slipway.objects import Object
from slipway.platform import images
from slipway.policy.check import violations
from slipway.policy.rules import rules
from slipway.policy.stages import STAGE_LABEL, audited, stage
from slipway.policy.templates import pods_of
from slipway.settings.environment import Environment
from slipway.settings.policies import AUDIT, ENFORCE


def judge(
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
    for each in violations(rules(settings, environment), objects):
        if audits:
            notices.append(f"{each}; audited, not refused")
        elif each.name in running:
            notices.append(f"{each}; it runs already, and stays")
        else:
            problems.append(SlipwayError(str(each)))
    return notices, problems


def judge_platform(environment: Environment, objects: Iterable[Object]) -> list[SlipwayError]:
    """Say which pods of the platform the cluster would refuse.

    Whether their images have digests is for the lock file to say: here they count as if they had.

    Args:
        environment: Without policies, there is nothing to say.
        objects: Of all components, with their namespaces.
    """
    settings = environment.platform.policies
    if settings is None:
        return []
    given = tuple(audited(each) for each in objects)
    spaces = [each["metadata"] for each in given if each["kind"] == "Namespace"]
    enforced = {each["name"] for each in spaces if each["labels"][STAGE_LABEL] == ENFORCE}
    locked = images.Images(images=dict.fromkeys(images.references(given), f"sha256:{'0' * 64}"))
    pods = pods_of(images.pinned(given, locked), environment.namespace)
    there = (each for each in pods if each["metadata"]["namespace"] in enforced)
    return [SlipwayError(str(each)) for each in violations(rules(settings, environment), there)]
