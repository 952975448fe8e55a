"""How stacks of one cluster, each with layers of its own, find each other."""

from __future__ import annotations

import pulumi

from slipway.errors import ExitCode, SlipwayError
from slipway.settings.environment import LAYERS, Environment

#: The output in which a stack says what it is.
OUTPUT = "stack"


def tell(environment: Environment) -> None:
    """Say to other stacks what this one declares, where."""
    pulumi.export(
        OUTPUT,
        {
            "cluster": environment.cluster.identifier,
            "namespace": environment.namespace,
            "layers": list(environment.layers),
        },
    )


async def check(environment: Environment) -> None:
    """See that the stack under this one is there, for the same cluster, with the layers that this one leaves out.

    Raises:
        SlipwayError: It is not; a preview of a stack whose platform has not been deployed only says so.
    """
    other = environment.platform_stack
    if other is None:
        return
    where = f"Pulumi.{environment.name}.yaml: slipway:platform_stack: {other}"
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{other}"
    found = (await pulumi.StackReference(name, stack_name=name).get_output_details(OUTPUT)).value
    if not found:
        said = f"{where} has not been deployed; `slipway up -s {other}` comes first"
        if not pulumi.runtime.is_dry_run():
            raise SlipwayError(said, ExitCode.UNREACHABLE)
        pulumi.log.warn(said)
        return
    for field, own in (("cluster", environment.cluster.identifier), ("namespace", environment.namespace)):
        if found[field] != own:
            raise SlipwayError(f"{where} is for {field} {found[field]}, this stack for {own}; both must name one")
    lacking = [layer for layer in LAYERS if layer not in (*environment.layers, *found["layers"])]
    if lacking:
        raise SlipwayError(f"{where} declares {', '.join(found['layers'])}; nobody declares {', '.join(lacking)}")
