"""References between stacks that share a cluster."""

from __future__ import annotations

import pulumi

from slipway.errors import ExitCode, SlipwayError
from slipway.settings.environment import LAYERS, Environment

#: Output that describes a stack.
OUTPUT = "stack"


def tell(environment: Environment) -> None:
    """Export the stack's cluster, namespace and layers."""
    pulumi.export(
        OUTPUT,
        {
            "cluster": environment.cluster.identifier,
            "namespace": environment.namespace,
            "layers": list(environment.layers),
        },
    )


async def check(environment: Environment) -> None:
    """Check that the stack below this one is deployed, shares its cluster, and declares the layers that this one omits.

    Raises:
        SlipwayError: It does not; a preview only warns if the other stack is not deployed.
    """
    other = environment.platform_stack
    if other is None:
        return
    where = f"Pulumi.{environment.name}.yaml: slipway:platform_stack: {other}"
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{other}"
    found = (await pulumi.StackReference(name, stack_name=name).get_output_details(OUTPUT)).value
    if not found:
        problem = f"{where} has not been deployed; `slipway up -s {other}` comes first"
        if not pulumi.runtime.is_dry_run():
            raise SlipwayError(problem, ExitCode.UNREACHABLE)
        pulumi.log.warn(problem)
        return
    for field, own in (("cluster", environment.cluster.identifier), ("namespace", environment.namespace)):
        if found[field] != own:
            raise SlipwayError(f"{where} has {field} {found[field]}, this stack has {own}; set both to the same")
    lacking = [layer for layer in LAYERS if layer not in (*environment.layers, *found["layers"])]
    if lacking:
        raise SlipwayError(
            f"{where} declares {', '.join(found['layers'])}; add {', '.join(lacking)} to slipway:layers of one of them"
        )
