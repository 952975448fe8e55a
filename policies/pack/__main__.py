"""Policy pack of the AWS rules: `pulumi preview --policy-pack policies/pack`.

The rules need only Python, so the pack's virtual environment contains none of the program's packages.
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
    """Return the validation of one rule; separate, because an unknown value ends the rule that reads it."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if args.resource_type == type_:
            for problem in check(args.props):
                report(problem)

    return validate


def companions(args: StackValidationArgs, report: ReportViolation) -> None:
    """Report resources without their companions."""
    found = [rules.Resource(each.resource_type, each.name, {}) for each in args.resources]
    for resource in found:
        for problem in rules.companions(resource, found):
            report(f"{resource.type} {resource.name}: {problem}")


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
