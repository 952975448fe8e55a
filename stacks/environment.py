"""One environment, declared: read, plan, refuse, register."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import pulumi

from components.delivered import Delivered, DeliveredArgs
from components.llm import Llm, LlmArgs
from components.manifest import Provider
from components.metrics import Metrics, MetricsArgs
from components.model import Model, ModelArgs
from components.platform import Platform
from slipway import names
from slipway.compile import compile_shared
from slipway.compile.llm import url_path
from slipway.errors import ExitCode, NotYet, SlipwayError
from slipway.gitops.tree import model_directory
from slipway.models.release import Release
from slipway.planning import environment as planning
from slipway.planning import guard, regions, verification
from slipway.planning.environment import EnvironmentPlan
from slipway.rollout import plan as rollout
from slipway.rollout.observed import ObservedModel
from slipway.settings.environment import Environment
from stacks import cloud, joined, pacing, platform, settings
from stacks.ground import Ground

#: What the language host takes as "the user has been told" (sdk/python/cmd/pulumi-language-python-exec); any other
#: status makes it add a line of its own, an exception makes it add a stack trace.
TOLD = 32


async def main() -> None:
    """Declare the stack that is running; what is wrong is said in one line each, before anything is registered."""
    pacing.quiet()
    try:
        environment = settings.read()
        await joined.check(environment)
        lay = cloud.prepare(environment)
        plan = prepare(Path.cwd(), environment) if "models" in environment.layers else None
        installs = platform.prepare(environment) if "platform" in environment.layers else []
    except SlipwayError as error:
        pulumi.log.error(str(error))
        sys.exit(TOLD)
    joined.tell(environment)
    ground = lay()
    systems = install(environment, installs, ground) if installs else None
    shared = plan.shared() if plan else compile_shared(environment)
    # Where Argo CD applies a stack's models, these are in the same tree.
    if plan and environment.delivery == "gitops":
        shared = ()
    if shared or (plan and (plan.compiled or plan.llms)):
        under = [systems] if systems else ground.ready
        options = pulumi.ResourceOptions(providers=[provider(environment, environment.name, ground, under)])
        if shared:
            Metrics(environment.name, MetricsArgs(templates=shared), options)
        if plan:
            await declare(plan, options)
    elif plan:
        pulumi.export("models", {})


def install(environment: Environment, steps: Sequence[platform.Step], ground: Ground) -> Platform:
    """Register the systems under the models."""
    systems = Platform(environment.name)
    way = provider(environment, f"{environment.name}-platform", ground, ground.ready)
    options = pulumi.ResourceOptions(parent=systems, providers=[way])
    done: dict[str, pulumi.ComponentResource] = {}
    for step in steps:
        after = pulumi.ResourceOptions(depends_on=[done[name] for name in step.needs])
        done[step.name] = step.install(pulumi.ResourceOptions.merge(options, after), *ground.told(step.name))
    outputs = {name: getattr(component, "outputs", {}) for name, component in done.items()}
    systems.register_outputs(outputs)
    pulumi.export("platform", outputs)
    return systems


def provider(environment: Environment, name: str, ground: Ground, under: Sequence[pulumi.Resource]) -> Provider:
    """Declare a way to the environment's cluster.

    Args:
        environment: Whose.
        name: The provider's; its objects name it in the state.
        ground: What the cluster stands on.
        under: What must be there before its objects, and goes after them: one edge here instead of one for each.
    """
    return Provider(
        name,
        kubeconfig=ground.kubeconfig,
        identifier=environment.cluster.identifier,
        context=environment.cluster.context,
        namespace=environment.namespace,
        opts=pulumi.ResourceOptions(depends_on=list(under)),
    )


def prepare(project: Path, environment: Environment) -> EnvironmentPlan:
    """Read everything, decide everything.

    Raises:
        SlipwayError: It cannot be done; of several reasons, all but the last are logged.
    """
    observed, held_back = observe(project, environment), os.environ.get(rollout.HELD_BACK)
    guard.refuse_two_writers(environment, observed or {})
    earlier = regions.earlier(project, environment)
    plan = planning.plan_environment(project, environment, observed, held_back, earlier)
    for notice in (*plan.notices, *_tree_notices(project, plan)):
        pulumi.log.info(notice)
    problems = [*plan.problems, *verify(plan.to_create())]
    for problem in problems[:-1]:
        pulumi.log.error(str(problem))
    if problems:
        raise problems[-1]
    return plan


def _tree_notices(project: Path, plan: EnvironmentPlan) -> tuple[str, ...]:
    """Say what the files, by which Argo CD delivers, do not say yet."""
    environment = plan.environment
    if environment.delivery != "gitops" or plan.problems or plan.observed is None:
        return ()
    from slipway.gitops.render import render

    outcome = render(project, plan)
    changed = tuple(f"{change.path}: to {change.what}" for change in outcome.changes)
    todo = (f"Argo CD brings these when they are written, committed: slipway render -s {environment.name}",)
    return (*outcome.notices, *changed, *(todo if changed else ()))


def observe(project: Path, environment: Environment) -> Mapping[str, ObservedModel] | None:
    """Read what the cluster shows; a preview goes on without it, an `up` does not.

    Raises:
        SlipwayError: It cannot be read, and this is no preview.
    """
    try:
        return regions.observe(project, environment)
    except NotYet as error:
        # What this stack is about to make serves nobody: that is known, so an `up` may go on.
        if "platform" not in environment.layers:
            raise
        pulumi.log.info(f"{error}; it is made first, the models wait for it")
        return dict.fromkeys(regions.own(project, environment), ObservedModel())
    except SlipwayError as error:
        away = error.exit_code is ExitCode.UNREACHABLE
        if not (away and pulumi.runtime.is_dry_run()):
            raise
        said = f"{error}; until then what runs is unknown: a preview shows a first deployment, of unverified bytes"
        pulumi.log.info(said) if environment.cluster.kubeconfig is None else pulumi.log.warn(said)
        return None


def verify(releases: tuple[Release, ...]) -> list[SlipwayError]:
    """Hash the bytes of releases that are about to run for the first time; a preview goes on without the store."""
    found = verification.verify(releases)
    away = [error for error in found if error.exit_code is ExitCode.UNREACHABLE]
    if away and pulumi.runtime.is_dry_run():
        pulumi.log.warn(f"{away[0]}; the bytes are not verified, an up would stop here")
        return [error for error in found if error not in away]
    return found


async def declare(plan: EnvironmentPlan, options: pulumi.ResourceOptions) -> None:
    """Register all models, in the order of their names."""
    environment, compiled = plan.environment, plan.compiled
    gitops = environment.gitops if environment.delivery == "gitops" else None
    outputs: dict[str, dict[str, object]] = {}

    def register(name: str) -> Awaitable[None]:
        given, target = compiled.pop(name), plan.plans[name].target
        gateway = environment.gateway
        url = f"{gateway.scheme}://{names.host(name, gateway.host_suffix)}{names.infer_path(name)}"
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
        host = f"{environment.gateway.scheme}://{names.host(name, environment.gateway.host_suffix)}"
        url = f"{host}{url_path(name, environment.namespace)}"
        outputs[name] = Llm(name, LlmArgs(compiled=llm, target=plan.plans[name].target, url=url), options).outputs
    each: list[Callable[[], Awaitable[None]]] = [functools.partial(register, name) for name in sorted(compiled)]
    await pacing.paced(each)
    pulumi.export("models", outputs)
