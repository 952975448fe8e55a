"""The platform layer: which components an environment declares, in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from slipway import cluster
from slipway.environment import Environment
from slipway.errors import ExitCode, NotYet, SlipwayError
from slipway.platform import images, preflight
from slipway.platform.charts import Object
from slipway.platform.compiling import compile_all, compile_one, context_of
from slipway.platform.context import Context
from slipway.platform.namespaces import ENFORCE
from slipway.platform.ordering import ordered

#: Registers a component with options, then what it keeps outside of the cluster, if it does.
Install = Callable[..., pulumi.ComponentResource]
#: Takes a component's settings.
Compile = Callable[[Context, Any], Install]


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
    inspect(context)
    needs = ordered({name: compile_one(name, settings, context) for name, settings in wanted.items()})
    return [Step(name, after, COMPONENTS[name](context, wanted[name])) for name, after in needs.items()]


def inspect(context: Context) -> None:
    """Say what is worth knowing before anything is registered.

    Raises:
        SlipwayError: An up would change what is not pinned, be refused by a policy, or fail half-way.
    """
    environment, compiled = context.environment, compile_all(context)
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


# Each imports its own component: what a stack does not install costs it nothing.


def _cert_manager(context: Context, settings: Any) -> Install:
    from components.cert_manager import CertManager, CertManagerArgs
    from slipway.platform.cert_manager import compile_cert_manager

    args = CertManagerArgs(objects=compile_cert_manager(settings, context))
    return lambda options: CertManager(context.environment.name, args, options)


def _flagger(context: Context, settings: Any) -> Install:
    from components.flagger import Flagger, FlaggerArgs
    from slipway.platform.flagger import compile_flagger

    args = FlaggerArgs(objects=compile_flagger(settings, context))
    return lambda options: Flagger(context.environment.name, args, options)


def _gateway(context: Context, settings: Any) -> Install:
    from components.gateway import Gateway, GatewayArgs
    from slipway.platform.gateway import compile_gateway

    args = GatewayArgs(objects=compile_gateway(settings, context))
    return lambda options: Gateway(context.environment.name, args, options)


def _kserve(context: Context, settings: Any) -> Install:
    from components.kserve import Kserve, KserveArgs
    from slipway.platform.kserve import compile_kserve

    args = KserveArgs(objects=compile_kserve(settings, context))
    return lambda options: Kserve(context.environment.name, args, options)


def _llm_serving(context: Context, settings: Any) -> Install:
    from components.llm_serving import LlmServing, LlmServingArgs
    from slipway.platform.llm_serving import compile_llm_serving

    args = LlmServingArgs(objects=compile_llm_serving(settings, context))

    return lambda options: LlmServing(context.environment.name, args, options)


def _kyverno(context: Context, settings: Any) -> Install:
    from components.kyverno import Kyverno, KyvernoArgs
    from slipway.platform.kyverno import compile_kyverno

    args = KyvernoArgs(objects=compile_kyverno(settings, context))
    return lambda options: Kyverno(context.environment.name, args, options)


def _policies(context: Context, settings: Any) -> Install:
    from components.policies import Policies, PoliciesArgs
    from slipway.platform.policies import compile_policies

    args = PoliciesArgs(objects=compile_policies(settings, context))
    return lambda options: Policies(context.environment.name, args, options)


def _network(context: Context, settings: Any) -> Install:
    from components.network import Network, NetworkArgs
    from slipway.platform.network import compile_network

    args = NetworkArgs(objects=compile_network(settings, context))
    return lambda options: Network(context.environment.name, args, options)


def _secrets(context: Context, settings: Any) -> Install:
    from components.secrets import Secrets, SecretsArgs
    from slipway.platform.secrets import compile_secrets

    args = SecretsArgs(objects=compile_secrets(settings, context))
    return lambda options: Secrets(context.environment.name, args, options)


def _capacity(context: Context, settings: Any) -> Install:
    from components.capacity import Capacity, CapacityArgs
    from slipway.platform.capacity import compile_capacity

    args = CapacityArgs(objects=compile_capacity(settings, context))
    return lambda options: Capacity(context.environment.name, args, options)


def _cost(context: Context, settings: Any) -> Install:
    from components.cost import Cost, CostArgs
    from slipway.platform.cost import compile_cost

    args = CostArgs(objects=compile_cost(settings, context))
    return lambda options: Cost(context.environment.name, args, options)


def _backup(context: Context, settings: Any) -> Install:
    from components.backup import Backup, BackupArgs
    from slipway.platform.backup import compile_backup

    args = BackupArgs(objects=compile_backup(settings, context))
    return lambda options: Backup(context.environment.name, args, options)


def _monitoring(context: Context, settings: Any) -> Install:
    from components.monitoring import Monitoring, MonitoringArgs
    from slipway.platform.monitoring import compile_monitoring

    args = MonitoringArgs(objects=compile_monitoring(settings, context))
    return lambda options: Monitoring(context.environment.name, args, options)


def _services(context: Context, settings: Any) -> Install:
    from components.services import Services, ServicesArgs
    from slipway.platform.services import compile_services

    args = ServicesArgs(objects=compile_services(settings, context))
    return lambda options: Services(context.environment.name, args, options)


def _argocd(context: Context, settings: Any) -> Install:
    from components.argocd import ArgoCd, ArgoCdArgs
    from slipway.platform.argocd import compile_argocd

    args = ArgoCdArgs(objects=compile_argocd(settings, context))
    return lambda options: ArgoCd(context.environment.name, args, options)


def _mlflow(context: Context, settings: Any) -> Install:
    from components.mlflow import Mlflow, MlflowArgs
    from slipway.platform.mlflow import Database, artifacts, compile_mlflow

    objects, place = compile_mlflow(settings, context), artifacts(settings, context)

    def register(options: pulumi.ResourceOptions, made: Any = None) -> pulumi.ComponentResource:
        # Only now is it known where RDS will answer; nothing else is different.
        told = compile_mlflow(settings, context, Database(made.host, made.secret_arn)) if made else objects
        return Mlflow(context.environment.name, MlflowArgs(objects=told, artifacts=place), options)

    return register


def _feature_store(context: Context, settings: Any) -> Install:
    from components.feature_store import FeatureStore, FeatureStoreArgs
    from slipway.platform.feature_store import compile_feature_store

    args = FeatureStoreArgs(objects=compile_feature_store(settings, context))
    return lambda options: FeatureStore(context.environment.name, args, options)


#: Where nothing asks for another order, they are declared in this one.
COMPONENTS: Mapping[str, Compile] = {
    "network": _network,
    "capacity": _capacity,
    "cost": _cost,
    "secrets": _secrets,
    "backup": _backup,
    "kyverno": _kyverno,
    "policies": _policies,
    "cert_manager": _cert_manager,
    "gateway": _gateway,
    "kserve": _kserve,
    "llm_serving": _llm_serving,
    "flagger": _flagger,
    "mlflow": _mlflow,
    "feature_store": _feature_store,
    "monitoring": _monitoring,
    "services": _services,
    "argocd": _argocd,
}
