"""The program of one environment: read, plan, check, register."""

from __future__ import annotations

import functools
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pulumi

from components.delivered import Delivered, DeliveredArgs
from components.llm import Llm, LlmArgs
from components.manifest import Provider
from components.metrics import Metrics, MetricsArgs
from components.model import Model, ModelArgs
from components.platform import Platform
from components.system import System
from slipway.compile.llm import url_path
from slipway.engine import program
from slipway.errors import SlipwayError, refuse
from slipway.gitops.tree import model_directory
from slipway.planning.environment import EnvironmentPlan
from slipway.planning.prepare import prepare
from slipway.settings.checkout import Checkout
from slipway.settings.environment import Environment
from stacks import cloud, joined, pacing, platform, settings
from stacks.ground import Ground

#: Exit status of errors that are already logged (sdk/python/cmd/pulumi-language-python-exec); for any other status the
#: language host adds a line, for an exception a stack trace.
TOLD = 32


async def main() -> None:
    """Declare the running stack; errors are reported in one line each before anything is registered."""
    pacing.quiet()
    try:
        environment, checkout = settings.read(), Checkout(Path.cwd())
        await joined.check(environment)
        lay = cloud.prepare(environment)
        preview = pulumi.runtime.is_dry_run()
        plan = prepare(checkout, environment, preview=preview, held_back=program.held_back())
        say(plan)
        installs = platform.prepare(environment, checkout) if "platform" in environment.layers else []
    except SlipwayError as error:
        program.write_outcome(error)
        for line in str(error).splitlines():
            pulumi.log.error(line)
        sys.exit(TOLD)
    joined.tell(environment)
    ground = lay()
    systems = install(environment, installs, ground) if installs else None
    # With Git delivery, MetricTemplates are in the models' tree.
    has_models = "models" in environment.layers
    shared = () if has_models and environment.delivery == "gitops" else plan.shared()
    if shared or plan.compiled or plan.llms:
        under = [systems] if systems else ground.ready
        options = pulumi.ResourceOptions(providers=[provider(environment, environment.name, ground, under)])
        if shared:
            Metrics(environment.name, MetricsArgs(templates=shared), options)
        if has_models:
            await declare(plan, options)
    elif has_models:
        pulumi.export("models", {})


def install(environment: Environment, steps: Sequence[platform.Step], ground: Ground) -> Platform:
    """Register the systems below the models."""
    systems = Platform(environment.name)
    # A corrected alert must not delete its ConfigMap for a moment.
    way = provider(environment, f"{environment.name}-platform", ground, ground.ready, edits_config_maps=True)
    options = pulumi.ResourceOptions(parent=systems, providers=[way])
    done: dict[str, System] = {}
    for step in steps:
        after = pulumi.ResourceOptions(depends_on=[done[name] for name in step.needs])
        name = step.system.name
        done[name] = step.install(pulumi.ResourceOptions.merge(options, after), ground.databases.get(name))
    outputs = {name: component.outputs for name, component in done.items()}
    systems.register_outputs(outputs)
    pulumi.export("platform", outputs)
    return systems


def provider(
    environment: Environment,
    name: str,
    ground: Ground,
    under: Sequence[pulumi.Resource],
    *,
    edits_config_maps: bool = False,
) -> Provider:
    """Declare a provider for the environment's cluster.

    Args:
        name: The provider's name in the state.
        under: Dependencies of all its objects: one edge here instead of one for each object.
        edits_config_maps: Whether a changed ConfigMap is updated in place.
    """
    return Provider(
        name,
        kubeconfig=ground.kubeconfig,
        identifier=environment.cluster.identifier,
        context=environment.cluster.context,
        namespace=environment.namespace,
        edits_config_maps=edits_config_maps,
        opts=pulumi.ResourceOptions(depends_on=list(under)),
    )


def say(plan: EnvironmentPlan) -> None:
    """Log a plan's notices and warnings.

    Raises:
        SlipwayError: The plan has problems.
    """
    for notice in (*plan.notices, *plan.unwritten()):
        pulumi.log.info(notice)
    for warning in plan.warnings:
        pulumi.log.warn(warning)
    refuse(plan.problems)


async def declare(plan: EnvironmentPlan, options: pulumi.ResourceOptions) -> None:
    """Register all models in the order of their names."""
    environment, compiled = plan.environment, plan.compiled
    gitops = environment.gitops if environment.delivery == "gitops" else None
    outputs: dict[str, dict[str, object]] = {}

    def register(name: str) -> Awaitable[None]:
        given, target = compiled.pop(name), plan.plans[name].target
        url = environment.gateway.infer_url(name)
        model: Model | Delivered
        if gitops:
            path = f"{gitops.directory}/{model_directory(environment.name, name)}"
            args = DeliveredArgs(compiled=given, target=target, url=url, path=path, protect=environment.protect)
            model = Delivered(name, args, options)
        else:
            model = Model(name, ModelArgs(compiled=given, target=target, url=url, protect=environment.protect), options)
        outputs[name] = model.outputs
        return model.registered()

    for name, llm in plan.llms.items():
        url = f"{environment.gateway.url(name)}{url_path(name, environment.namespace)}"
        outputs[name] = Llm(name, LlmArgs(compiled=llm, target=plan.plans[name].target, url=url), options).outputs
    each: list[Callable[[], Awaitable[None]]] = [functools.partial(register, name) for name in sorted(compiled)]
    await pacing.paced(each)
    pulumi.export("models", outputs)
