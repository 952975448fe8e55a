"""The rules for AWS as a policy pack: `pulumi preview --policy-pack policies/pack`.

The rules themselves need nothing but Python, so the pack's own environment holds none of the program's packages.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from slipway.aws import rules


def validation(type_: str, check: rules.Check) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    """Ask one rule; each by itself, since a value that is not known yet ends what asks for it."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if args.resource_type == type_:
            for said in check(args.props):
                report(said)

    return validate


def companions(args: StackValidationArgs, report: ReportViolation) -> None:
    """Ask which resources lack what they are not safe without."""
    found = [rules.Resource(each.resource_type, each.name, {}) for each in args.resources]
    for resource in found:
        for said in rules.companions(resource, found):
            report(f"{resource.type} {resource.name}: {said}")


PolicyPack(
    name="slipway-aws",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[
        *(
            ResourceValidationPolicy(
                name=type_.rpartition(":")[2],
                description=f"What no {type_} may be.",
                validate=[validation(type_, check) for check in checks],
            )
            for type_, checks in rules.RULES.items()
        ),
        StackValidationPolicy(
            name="companions", description="What a resource is not safe without.", validate=companions
        ),
    ],
)
