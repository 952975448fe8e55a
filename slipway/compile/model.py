"""Compiler of one model's objects."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from slipway import names
from slipway.compile.canary import SERVICE_PORT, compile_canary, strategy_of
from slipway.compile.objects import (
    Amounts,
    ContainerPort,
    EnvVar,
    InferenceService,
    InferenceServiceSpec,
    Logger,
    Metadata,
    ModelFormat,
    Predictor,
    PredictorModel,
    Resources,
    Selector,
    Service,
    ServicePort,
    ServiceSpec,
    Wire,
)
from slipway.compile.scaling import AUTOSCALER, scaling, tolerations
from slipway.compile.traefik import compile_copies
from slipway.models.release import Release
from slipway.models.servers import AGENT_PORT
from slipway.models.spec import ModelSpec
from slipway.objects import Object
from slipway.rollout.observed import ObservedService
from slipway.rollout.plan import ModelPlan
from slipway.settings.environment import Environment


@dataclass(frozen=True)
class CompiledModel:
    """The compiled objects of one model."""

    inference_services: tuple[Object, ...]
    target: Object
    primary: Object
    canary_service: Object
    canary: Object
    #: The objects that copy requests to the candidate, where Flagger does not.
    copies: tuple[Object, ...] = ()


def compile_model(spec: ModelSpec, plan: ModelPlan, environment: Environment) -> CompiledModel:
    """Compile a model's plan, which must have passed `refusals`.

    Labels and annotations of an InferenceService reach its pods, so nothing in them may change while it lives.
    """
    model, resources = spec.name, resources_of(spec)
    # These are the selectors of a new pair; later Flagger writes them.
    primary = plan.live or plan.target
    return CompiledModel(
        inference_services=tuple(
            _inference_service(spec, release, resources, environment)
            for release in sorted(plan.declared, key=lambda release: release.version)
        ),
        target=_service(model, spec, plan.target, plan, environment),
        primary=_service(names.primary(model), spec, primary, plan, environment),
        canary_service=_service(names.canary(model), spec, plan.target, plan, environment),
        canary=compile_canary(spec, environment),
        copies=_copies(spec, plan, environment),
    )


def _copies(spec: ModelSpec, plan: ModelPlan, environment: Environment) -> tuple[Object, ...]:
    """Copy requests to a shadow while it is a candidate; otherwise the canary Service selects the live version."""
    gateway, tried = environment.gateway, plan.live is not None and plan.target.version != plan.live.version
    if strategy_of(spec, environment) != "shadow" or gateway.mirrors != "traefik" or not tried:
        return ()
    candidate = names.inference_service(spec.name, plan.target.version)
    host = names.host(spec.name, gateway.host_suffix)
    return compile_copies(spec.name, candidate, environment.namespace, host, SERVICE_PORT)


def _served(spec: ModelSpec, release: Release, resources: Resources, environment: Environment) -> PredictorModel:
    """Return the model that a server loads, with its name and resources."""
    server = spec.server
    env = {**spec.serving.env, server.name_variable: spec.name, server.version_variable: str(release.version)}
    return PredictorModel(
        model_format=ModelFormat(name=server.model_format),
        runtime=environment.runtime,
        storage_uri=release.artifact.uri,
        env=tuple(EnvVar(name=name, value=env[name]) for name in sorted(env)),
        ports=(
            ContainerPort(name="http", container_port=server.http_port),
            ContainerPort(name="metrics", container_port=server.metrics_port),
        ),
        resources=resources,
    )


def provenance(release: Release, wire: Wire) -> dict[str, str]:
    """Return the annotations of a served model's origin, and of the digest of its serving settings."""
    canonical = wire.model_dump_json(by_alias=True, exclude_none=True)
    return {
        names.RELEASE: release.id,
        names.MODEL_DIGEST: release.artifact.digest,
        names.SERVING_DIGEST: f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}",
        f"{names.PREFIX}dataset-hash": release.dataset.digest,
        f"{names.PREFIX}git-commit": release.git_commit,
        f"{names.PREFIX}training-run-id": release.registry.run_id,
    }


def business_case(spec: ModelSpec) -> dict[str, str]:
    """Return the annotation that allows more GPUs; it reaches the pods, which have policies too."""
    return {names.BUSINESS_CASE: spec.serving.business_case} if spec.serving.business_case else {}


def serving_changes(wanted_services: Iterable[Object], services: Mapping[str, ObservedService]) -> tuple[str, ...]:
    """List the running InferenceServices that were created from other serving settings, as messages."""
    changed = []
    for wanted in wanted_services:
        name, annotations = wanted["metadata"]["name"], wanted["metadata"]["annotations"]
        runs = services.get(name)
        if runs and runs.serving_digest != annotations[names.SERVING_DIGEST]:
            changed.append(
                f"{name}: serving settings have changed since it was created; it stays as it is,"
                " and the next version takes them"
            )
    return tuple(changed)


def resources_of(spec: ModelSpec) -> Resources:
    """Return the resources of one replica: it may use what it reserves."""
    serving = spec.serving
    amounts = Amounts(cpu=serving.cpu, memory=serving.memory, gpus=str(serving.gpus) if serving.gpus else None)
    return Resources(requests=amounts, limits=amounts)


def _inference_service(spec: ModelSpec, release: Release, resources: Resources, environment: Environment) -> Object:
    payloads = environment.payloads_url
    wire = InferenceServiceSpec(
        predictor=Predictor(
            service_account_name=environment.service_account,
            min_replicas=spec.serving.replicas.min,
            max_replicas=spec.serving.replicas.max,
            **scaling(spec, release, environment),
            tolerations=tolerations(spec),
            logger=Logger(url=f"{payloads}/v1/payloads") if payloads else None,
            model=_served(spec, release, resources, environment),
        )
    )
    annotations = {
        **provenance(release, wire),
        "pulumi.com/waitFor": "condition=Ready",
        # Set on each object: the default differs between KServe's code, its ConfigMap and its chart.
        "serving.kserve.io/deploymentMode": "Standard",
        **({AUTOSCALER: "keda"} if wire.predictor.auto_scaling else {}),
        **business_case(spec),
    }
    labels = {
        **({names.COST_CENTER: spec.cost_center} if spec.cost_center else {}),
        # KServe must make no route: users come through Flagger's.
        "networking.kserve.io/visibility": "cluster-local",
        names.MODEL: spec.name,
    }
    metadata = Metadata(
        name=names.inference_service(spec.name, release.version),
        namespace=environment.namespace,
        labels=labels,
        annotations=annotations,
    )
    return InferenceService(metadata=metadata, spec=wire).manifest()


def _service(name: str, spec: ModelSpec, release: Release, plan: ModelPlan, environment: Environment) -> Object:
    """Compile one of the three Services.

    Its port is the agent's if the selected version has one, which an InferenceService keeps for its whole life. Flagger
    copies the target's whole spec, port and selector (pkg/canary/service_controller.go).
    """
    selector, server = names.selector(names.inference_service(spec.name, release.version)), spec.server
    agent = plan.agents.get(release.version, environment.payloads_url is not None)
    ports = (
        ServicePort(name="http", port=SERVICE_PORT, target_port=AGENT_PORT if agent else server.http_port),
        ServicePort(name="metrics", port=server.metrics_port, target_port=server.metrics_port),
    )
    return Service(
        metadata=Metadata(name=name, namespace=environment.namespace, labels={names.MODEL: spec.name}),
        spec=ServiceSpec(selector=Selector(app=selector["app"]), ports=ports),
    ).manifest()
