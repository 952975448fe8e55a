"""Platform layer: the systems of an environment and their order."""

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
        needs: Names of the systems that it depends on.
        objects: Its compiled objects.
        locked: Digests of their images.
    """

    system: Row[Any]
    needs: tuple[str, ...]
    context: Context
    objects: tuple[Object, ...]
    locked: Images

    def install(self, options: pulumi.ResourceOptions, database: Database | None) -> System:
        """Register the system; the address of an external database is known only now."""
        objects = self.system.objects(replace(self.context, database=database)) if database else self.objects
        args = SystemArgs(objects=images.pinned(objects, self.locked))
        return COMPONENTS[self.system](self.context.environment.name, args, options)


def prepare(environment: Environment, checkout: Checkout) -> list[Step]:
    """Compile the configured systems before anything is registered.

    Returns:
        The systems, dependencies first.

    Raises:
        SlipwayError: A system cannot be compiled, or the tools that render charts are not built.
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
    """Check the compiled objects before anything is registered.

    Raises:
        SlipwayError: An up would install unpinned images, be refused by a policy, or fail half-way.
    """
    say_unlocked(environment, compiled, locked)
    refuse_pods(environment, compiled)
    look(environment, compiled)


def look(environment: Environment, compiled: Mapping[str, tuple[Object, ...]]) -> None:
    """Check the cluster; a preview continues without it, and so does an `up` that creates it.

    Raises:
        SlipwayError: An up would fail half-way.
    """
    # On EKS cert-manager is an add-on, which this `up` may install first.
    brought = ("cert-manager.io",) if environment.cluster.eks else ()
    try:
        for notice in preflight.check(cluster.connect(environment, Path.cwd()), compiled, brought):
            pulumi.log.info(notice)
    except NotYet:
        return
    except SlipwayError as error:
        if not pulumi.runtime.is_dry_run():
            raise
        # A stack with models reports an unreachable cluster itself.
        if error.exit_code is not ExitCode.UNREACHABLE or "models" not in environment.layers:
            pulumi.log.warn(f"{error}; an up would stop here")


def say_unlocked(environment: Environment, compiled: Mapping[str, tuple[Object, ...]], locked: Images) -> None:
    """Log the images without a digest in the lock file.

    Raises:
        SlipwayError: There are some, policies are enforced, and this is no preview.
    """
    named = {image for objects in compiled.values() for image in images.references(objects)}
    lacking = sorted(named - set(locked.images))
    if not lacking:
        return
    problem = (
        f"{images.FILE}: {len(lacking)} of {len(named)} images have no digest, so a moved tag would change what runs:"
        f" {lacking[0]} first; run `slipway images lock` and commit the file"
    )
    network = environment.platform.network
    if network and network.stage == ENFORCE and not pulumi.runtime.is_dry_run():
        raise SlipwayError(problem)
    pulumi.log.info(problem)


def refuse_pods(environment: Environment, compiled: Mapping[str, tuple[Object, ...]]) -> None:
    """Check the platform's pods against its policies.

    Raises:
        SlipwayError: The last violation; the others are logged.
    """
    found = pods.violations(environment, [each for objects in compiled.values() for each in objects])
    for problem in found[:-1]:
        pulumi.log.error(str(problem))
    if found:
        raise found[-1]
