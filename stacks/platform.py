"""The platform layer: which components an environment declares, in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi

from slipway import cluster
from slipway.environment import Environment
from slipway.errors import ExitCode, NotYet, SlipwayError
from slipway.platform import images, preflight
from slipway.platform.charts import Object
from slipway.platform.compiling import compile_all, context_of
from slipway.platform.context import Context
from slipway.platform.namespaces import ENFORCE

#: Registers a component with options, then what it keeps outside of the cluster, if it does; returns its outputs.
Install = Callable[..., dict[str, Any]]
#: Takes a component's settings.
Compile = Callable[[Context, Any], Install]


def prepare(environment: Environment) -> list[tuple[str, Install]]:
    """Compile the components that the settings name, all of them before anything is registered.

    Returns:
        The name of each, in the order of declaration, with what registers it and returns its outputs.

    Raises:
        SlipwayError: One of them cannot be compiled, or the tools that render charts are not built.
    """
    wanted = [(name, compile_) for name, compile_ in COMPONENTS.items() if getattr(environment.platform, name)]
    if environment.platform.kyverno:
        # It declares them itself, after it.
        wanted = [(name, compile_) for name, compile_ in wanted if name != "policies"]
    if not wanted:
        return []
    context = context_of(environment, Path.cwd())
    inspect(context)
    return [(name, compile_(context, getattr(environment.platform, name))) for name, compile_ in wanted]


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
    try:
        for notice in preflight.check(cluster.connect(environment, Path.cwd()), compiled):
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
    return lambda options: CertManager(context.environment.name, args, options).outputs


def _flagger(context: Context, settings: Any) -> Install:
    from components.flagger import Flagger, FlaggerArgs
    from slipway.platform.flagger import compile_flagger

    args = FlaggerArgs(objects=compile_flagger(settings, context))
    return lambda options: Flagger(context.environment.name, args, options).outputs


def _gateway(context: Context, settings: Any) -> Install:
    from components.gateway import Gateway, GatewayArgs
    from slipway.platform.gateway import compile_gateway

    args = GatewayArgs(objects=compile_gateway(settings, context))
    return lambda options: Gateway(context.environment.name, args, options).outputs


def _kserve(context: Context, settings: Any) -> Install:
    from components.kserve import Kserve, KserveArgs
    from slipway.platform.kserve import compile_kserve

    args = KserveArgs(objects=compile_kserve(settings, context))
    return lambda options: Kserve(context.environment.name, args, options).outputs


def _llm_serving(context: Context, settings: Any) -> Install:
    from components.llm_serving import LlmServing, LlmServingArgs
    from slipway.platform.llm_serving import compile_llm_serving

    args = LlmServingArgs(objects=compile_llm_serving(settings, context))

    def register(options: pulumi.ResourceOptions) -> dict[str, Any]:
        LlmServing(context.environment.name, args, options)
        return {}

    return register


def _kyverno(context: Context, settings: Any) -> Install:
    from components.kyverno import Kyverno, KyvernoArgs
    from slipway.platform.kyverno import compile_kyverno

    args = KyvernoArgs(objects=compile_kyverno(settings, context))
    rules = context.environment.platform.policies
    then = _policies(context, rules) if rules else None

    def register(options: pulumi.ResourceOptions) -> dict[str, Any]:
        kyverno = Kyverno(context.environment.name, args, options)
        # It brings the kinds, and looks at every policy before the API server keeps it.
        after = pulumi.ResourceOptions(depends_on=[kyverno])
        policies = {"policies": then(pulumi.ResourceOptions.merge(options, after))} if then else {}
        return {**kyverno.outputs, **policies}

    return register


def _policies(context: Context, settings: Any) -> Install:
    from components.policies import Policies, PoliciesArgs
    from slipway.platform.policies import compile_policies

    args = PoliciesArgs(objects=compile_policies(settings, context))
    return lambda options: Policies(context.environment.name, args, options).outputs


def _network(context: Context, settings: Any) -> Install:
    from components.network import Network, NetworkArgs
    from slipway.platform.network import compile_network

    args = NetworkArgs(objects=compile_network(settings, context))
    return lambda options: Network(context.environment.name, args, options).outputs


def _secrets(context: Context, settings: Any) -> Install:
    from components.secrets import Secrets, SecretsArgs
    from slipway.platform.secrets import compile_secrets

    args = SecretsArgs(objects=compile_secrets(settings, context))
    return lambda options: Secrets(context.environment.name, args, options).outputs


def _capacity(context: Context, settings: Any) -> Install:
    from components.capacity import Capacity, CapacityArgs
    from slipway.platform.capacity import compile_capacity

    args = CapacityArgs(objects=compile_capacity(settings, context))
    return lambda options: Capacity(context.environment.name, args, options).outputs


def _cost(context: Context, settings: Any) -> Install:
    from components.cost import Cost, CostArgs
    from slipway.platform.cost import compile_cost

    args = CostArgs(objects=compile_cost(settings, context))
    return lambda options: Cost(context.environment.name, args, options).outputs


def _backup(context: Context, settings: Any) -> Install:
    from components.backup import Backup, BackupArgs
    from slipway.platform.backup import compile_backup

    args = BackupArgs(objects=compile_backup(settings, context))
    return lambda options: Backup(context.environment.name, args, options).outputs


def _monitoring(context: Context, settings: Any) -> Install:
    from components.monitoring import Monitoring, MonitoringArgs
    from slipway.platform.monitoring import compile_monitoring

    args = MonitoringArgs(objects=compile_monitoring(settings, context))
    return lambda options: Monitoring(context.environment.name, args, options).outputs


def _services(context: Context, settings: Any) -> Install:
    from components.services import Services, ServicesArgs
    from slipway.platform.services import compile_services

    args = ServicesArgs(objects=compile_services(settings, context))
    return lambda options: Services(context.environment.name, args, options).outputs


def _argocd(context: Context, settings: Any) -> Install:
    from components.argocd import ArgoCd, ArgoCdArgs
    from slipway.platform.argocd import compile_argocd

    args = ArgoCdArgs(objects=compile_argocd(settings, context))
    return lambda options: ArgoCd(context.environment.name, args, options).outputs


def _mlflow(context: Context, settings: Any) -> Install:
    from components.mlflow import Mlflow, MlflowArgs
    from slipway.platform.mlflow import Database, artifacts, compile_mlflow

    objects, place = compile_mlflow(settings, context), artifacts(settings, context)

    def register(options: pulumi.ResourceOptions, made: Any = None) -> dict[str, Any]:
        # Only now is it known where RDS will answer; nothing else is different.
        told = compile_mlflow(settings, context, Database(made.host, made.secret_arn)) if made else objects
        return Mlflow(context.environment.name, MlflowArgs(objects=told, artifacts=place), options).outputs

    return register


def _feature_store(context: Context, settings: Any) -> Install:
    from components.feature_store import FeatureStore, FeatureStoreArgs
    from slipway.platform.feature_store import compile_feature_store

    args = FeatureStoreArgs(objects=compile_feature_store(settings, context))
    return lambda options: FeatureStore(context.environment.name, args, options).outputs


#: In the order in which they are declared.
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
