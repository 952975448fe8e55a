"""The platform layer: which systems an environment declares, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pulumi

from components.argocd import ArgoCd
from components.backup import Backup
from components.capacity import Capacity
from components.cert_manager import CertManager
from components.cost import Cost
from components.feature_store import FeatureStore
from components.flagger import Flagger
from components.gateway import Gateway
from components.kserve import Kserve
from components.kyverno import Kyverno
from components.llm_serving import LlmServing
from components.mlflow import Mlflow
from components.monitoring import Monitoring
from components.network import Network
from components.policies import Policies
from components.secrets import Secrets
from components.services import Services
from components.system import System, SystemArgs
from slipway.errors import ExitCode, NotYet, SlipwayError
from slipway.objects import Object
from slipway.platform import compiling, images, pods, preflight
from slipway.platform.compiling import Row
from slipway.platform.context import Context, Database
from slipway.platform.images import Images
from slipway.platform.ordering import ordered
from slipway.rollout import cluster
from slipway.settings.checkout import Checkout
from slipway.settings.environment import Environment
from slipway.settings.platform import Platform
from slipway.settings.policies import ENFORCE

#: The class of each system.
COMPONENTS: Mapping[Row[Any], type[System]] = {
    compiling.NETWORK: Network,
    compiling.CAPACITY: Capacity,
    compiling.COST: Cost,
    compiling.SECRETS: Secrets,
    compiling.BACKUP: Backup,
    compiling.KYVERNO: Kyverno,
    compiling.POLICIES: Policies,
    compiling.CERT_MANAGER: CertManager,
    compiling.GATEWAY: Gateway,
    compiling.KSERVE: Kserve,
    compiling.LLM_SERVING: LlmServing,
    compiling.FLAGGER: Flagger,
    compiling.MLFLOW: Mlflow,
    compiling.FEATURE_STORE: FeatureStore,
    compiling.MONITORING: Monitoring,
    compiling.SERVICES: Services,
    compiling.ARGOCD: ArgoCd,
}


@dataclass(frozen=True)
class Step:
    """One system to register.

    Args:
        system: Its row of the table.
        needs: Names of the systems that must be there before.
        context: The environment.
        objects: Its objects, compiled.
        locked: The digests of their images.
    """

    system: Row[Any]
    needs: tuple[str, ...]
    context: Context
    objects: tuple[Object, ...]
    locked: Images

    def install(self, options: pulumi.ResourceOptions, database: Database | None) -> System:
        """Register the system; only now is it known where a database outside of the cluster will answer."""
        objects = self.system.objects(replace(self.context, database=database)) if database else self.objects
        args = SystemArgs(objects=images.pinned(objects, self.locked))
        return COMPONENTS[self.system](self.context.environment.name, args, options)


def prepare(environment: Environment, checkout: Checkout) -> list[Step]:
    """Compile the systems that the settings name, all of them before anything is registered.

    Returns:
        Each, after what it needs.

    Raises:
        SlipwayError: One of them cannot be compiled, or the tools that render charts are not built.
    """
    if environment.platform == Platform():
        return []
    context, locked = compiling.context_of(environment, checkout), images.load(checkout.root)
    compiled = compiling.compile_all(context)
    inspect(environment, compiled, locked)
    needs = ordered(compiled)
    rows = {system.name: system for system in compiling.SYSTEMS}
    return [Step(rows[name], needs[name], context, compiled[name], locked) for name in needs]


def inspect(environment: Environment, compiled: Mapping[str, tuple[Object, ...]], locked: Images) -> None:
    """Say what is worth knowing before anything is registered.

    Raises:
        SlipwayError: An up would change what is not pinned, be refused by a policy, or fail half-way.
    """
    say_unlocked(environment, compiled, locked)
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


def say_unlocked(environment: Environment, compiled: Mapping[str, tuple[Object, ...]], locked: Images) -> None:
    """Say which images have no digest in the lock file.

    Raises:
        SlipwayError: Some have none where policies are enforced, and this is no preview.
    """
    named = {image for objects in compiled.values() for image in images.references(objects)}
    lacking = sorted(named - set(locked.images))
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
    found = pods.violations(environment, [each for objects in compiled.values() for each in objects])
    for problem in found[:-1]:
        pulumi.log.error(str(problem))
    if found:
        raise found[-1]
