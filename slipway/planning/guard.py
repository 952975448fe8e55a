"""The guard against two programs that apply the same objects: Pulumi and Argo CD."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.errors import SlipwayError
from slipway.rollout.observed import ObservedModel
from slipway.settings.environment import Environment

#: By `delivery`: the program that applies, the program that must not.
APPLIERS = {"direct": ("Pulumi", "Argo CD"), "gitops": ("Argo CD", "Pulumi")}


def refuse_two_writers(environment: Environment, observed: Mapping[str, ObservedModel]) -> None:
    """Refuse a second program that applies the models, because the two would undo each other's changes.

    Raises:
        SlipwayError: Objects of a model carry the mark of the other program.
    """
    ours, other = APPLIERS[environment.delivery]
    marked = [name for name, seen in sorted(observed.items()) if environment.has(name) and other in seen.appliers]
    if marked:
        raise SlipwayError(
            f"Pulumi.{environment.name}.yaml: slipway:delivery: {environment.delivery} has {ours} apply the models, but"
            f" {other} applies {', '.join(marked)} already; hand them over first (docs/gitops.md, 'Handing over')"
        )
