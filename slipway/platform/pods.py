"""Check of the platform's pods against the environment's policies.

Only pods of namespaces that enforce the policies count.
"""

from __future__ import annotations

from collections.abc import Iterable

from slipway.errors import SlipwayError
from slipway.objects import Object
from slipway.platform import images
from slipway.policy import check
from slipway.policy.rules import rules
from slipway.policy.stages import STAGE_LABEL, audited
from slipway.policy.templates import pods_of
from slipway.settings.environment import Environment
from slipway.settings.policies import ENFORCE


def violations(environment: Environment, objects: Iterable[Object]) -> list[SlipwayError]:
    """Return the pods of the platform that the cluster would refuse, one error for each check.

    Images count as having digests, which a separate check tests.
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
    return [SlipwayError(str(each)) for each in check.violations(rules(settings, environment), there)]
