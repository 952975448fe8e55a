"""The platform layer: which components an environment declares, in which order."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from components.system import SystemArgs
from slipway.errors import ExitCode, NotYet, SlipwayError
from slipway.objects import Object
from slipway.platform import images, preflight
from slipway.platform.compiling import compile_one, context_of
from slipway.platform.context import Context
from slipway.platform.ordering import ordered
from slipway.rollout import cluster
from slipway.settings.environment import Environment
from slipway.settings.policies import ENFORCE

#: Registers a component with options, then what it keeps outside of the cluster, if it does.
Install = Callable[..., pulumi.ComponentResource]


@dataclass(frozen=True)
class Step:
    """One component to register.

    Args:
        name: As the settings call it.
        needs: Components that must be there before.
        install: Registers it.
    """

    name: str
    needs: tuple[str, ...]
    install: Install


def prepare(environment: Environment) -> list[Step]:
    """Compile the components that the settings name, all of them before anything is registered.

    Returns:
        Each, after what it needs.

    Raises:
        SlipwayError: One of them cannot be compiled, or the tools that render charts are not built.
    """
    wanted = {name: getattr(environment.platform, name) for name in COMPONENTS if getattr(environment.platform, name)}
    if not wanted:
        return []
    context = context_of(environment, Path.cwd())
    compiled = {name: compile_one(name, settings, context) for name, settings in wanted.items()}
    inspect(environment, compiled)
    return [Step(name, after, installer(name, context, compiled[name])) for name, after in ordered(compiled).items()]


def inspect(environment: Environment, compiled: Mapping[str, tuple[Object, ...]]) -> None:
    """Say what is worth knowing before anything is registered.

    Raises:
        SlipwayError: An up would change what is not pinned, be refused by a policy, or fail half-way.
    """
    say_unlocked(environment, compiled)
    if environment.platform.policies:
        refuse_pods(environment, compiled)
    look(environment, compiled)


def look(environment: Environment, compiled: Mapping[str, tuple[Object, ...]]) -> None:
    """Look at the cluster; a preview goes on without it, and so does an `up` that makes it.

    Raises:
        SlipwayError: An up would fail half-way.
    """
    # On EKS cert-manager is an add-on; where an `up` was stopped before it, the next one brings it.
    brought = ("cert-manager.io",) if environment.cluster.eks else ()
    try:
        for notice in preflight.check(cluster.connect(environment, Path.cwd()), compiled, brought):
            pulumi.log.info(notice)
    except NotYet:
        return
    except SlipwayError as error:
        if not pulumi.runtime.is_dry_run():
            raise
        # That it is away, a stack with models says too.
        if error.exit_code is not ExitCode.UNREACHABLE or "models" not in environment.layers:
            pulumi.log.warn(f"{error}; an up would stop here")


def say_unlocked(environment: Environment, compiled: Mapping[str, tuple[Object, ...]]) -> None:
    """Say which images have no digest in the lock file.

    Raises:
        SlipwayError: Some have none where policies are enforced, and this is no preview.
    """
    known = images.load(Path.cwd()).images
    named = {image for objects in compiled.values() for image in images.references(objects)}
    lacking = sorted(named - set(known))
    if not lacking:
        return
    said = (
        f"{images.FILE}: {len(lacking)} of {len(named)} images have no digest, so a moved tag would change what runs:"
        f" {lacking[0]} first; run `slipway images lock` and commit the file"
    )
    network = environment.platform.network
    if network and network.stage == ENFORCE and not pulumi.runtime.is_dry_run():
        raise SlipwayError(said)
    pulumi.log.info(said)


def refuse_pods(environment: Environment, compiled: Mapping[str, tuple[Object, ...]]) -> None:
    """Hold the platform's own pods to its policies.

    Raises:
        SlipwayError: Some would be refused; all but the last are logged.
    """
    # Imported only here, with the library that evaluates them.
    from slipway.policy.preview import judge_platform

    found = judge_platform(environment, [each for objects in compiled.values() for each in objects])
    for problem in found[:-1]:
        pulumi.log.error(str(problem))
    if found:
        raise found[-1]


def installer(name: str, context: Context, objects: tuple[Object, ...]) -> Install:
    """Make what registers a component."""
    # Imported only here: what a stack does not install costs it nothing.
    component = getattr(importlib.import_module(f"components.{name}"), COMPONENTS[name])

    def install(options: pulumi.ResourceOptions, *stores: Any) -> pulumi.ComponentResource:
        # Only now is it known where a store of its own, outside of the cluster, will answer.
        told = compile_one(name, getattr(context.environment.platform, name), context, *stores) if stores else objects
        registered: pulumi.ComponentResource = component(context.environment.name, SystemArgs(objects=told), options)
        return registered

    return install


#: The class of each, in its module of `components`; where nothing asks for another order, they are declared in this.
COMPONENTS: Mapping[str, str] = {
    "network": "Network",
    "capacity": "Capacity",
    "cost": "Cost",
    "secrets": "Secrets",
    "backup": "Backup",
    "kyverno": "Kyverno",
    "policies": "Policies",
    "cert_manager": "CertManager",
    "gateway": "Gateway",
    "kserve": "Kserve",
    "llm_serving": "LlmServing",
    "flagger": "Flagger",
    "mlflow": "Mlflow",
    "feature_store": "FeatureStore",
    "monitoring": "Monitoring",
    "services": "Services",
    "argocd": "ArgoCd",
}
