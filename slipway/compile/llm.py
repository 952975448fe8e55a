"""Compiler of an LLM's objects.

Each release is a separate LLMInferenceService. All releases of a model form one group of KServe's router, which splits
traffic by weight. KServe's routes may lead to an InferencePool, which Flagger cannot write, so `slipway rollout step`
moves the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from slipway import names
from slipway.compile.flagger import GatewayRef
from slipway.compile.model import business_case, provenance, resources_of
from slipway.compile.objects import Address, EnvVar, Manifest, Metadata, Resources, Subdomain, Toleration, Wire
from slipway.compile.rollout_checks import field_of, setting
from slipway.compile.scaling import tolerations
from slipway.models.llm import API_VERSION, KIND, Llm, NodeCache
from slipway.models.release import Release
from slipway.models.spec import ModelSpec
from slipway.objects import Object
from slipway.quantities import Quantity
from slipway.rollout.plan import ModelPlan
from slipway.settings.environment import Environment

#: All of the traffic: the weights of a group add up to this.
ALL = 100
#: vLLM's port, from KServe's template.
VLLM_PORT = 8000
#: What KServe's own template appends to `vllm serve` (config/llmisvcconfig/config-llm-template.yaml).
ARGUMENTS_VARIABLE = "VLLM_ADDITIONAL_ARGS"


class LlmModel(Wire):
    """The weights of a release, and the name in users' requests, which is the same for every release."""

    uri: Address
    name: str


class Parallelism(Wire):
    """The distribution of one replica over its GPUs."""

    tensor: Annotated[int, Field(ge=2)]


class KvCache(Wire):
    """The storage of keys for which the GPU has no room."""

    cpu: Quantity


class GatewayRefs(Wire):
    """The Gateways that serve the route."""

    refs: tuple[GatewayRef, ...]


class Route(Wire):
    """A share of the group's traffic; KServe makes the routes."""

    http: dict[str, Any] = Field(default_factory=dict)
    group: str
    weight: Annotated[int, Field(ge=0, le=ALL)]


class Router(Wire):
    """The way of requests to a replica."""

    gateway: GatewayRefs
    route: Route
    #: An empty one is llm-d's, as KServe ships it; None chooses any replica.
    scheduler: dict[str, Any] | None


class Container(Wire):
    """Our fields of vLLM's container; KServe's template has the rest."""

    name: Literal["main"] = "main"
    env: tuple[EnvVar, ...]
    resources: Resources


class Template(Wire):
    """The pod of a replica."""

    service_account_name: Subdomain = Field(serialization_alias="serviceAccountName")
    tolerations: tuple[Toleration, ...] | None
    containers: tuple[Container, ...]


class LlmSpec(Wire):
    """The spec of an LLMInferenceService."""

    model: LlmModel
    replicas: Annotated[int, Field(ge=1)]
    parallelism: Parallelism | None
    kv_cache: KvCache | None = Field(serialization_alias="kvCacheOffloading")
    #: Of its pods.
    annotations: dict[str, str] | None
    template: Template
    router: Router


class LlmInferenceService(Manifest):
    """KServe's LLMInferenceService: one for each release."""

    api_version: str = Field(default=API_VERSION, serialization_alias="apiVersion")
    kind: str = KIND
    metadata: Metadata
    spec: LlmSpec


@dataclass(frozen=True)
class CompiledLlm:
    """The compiled objects of one LLM."""

    inference_services: tuple[Object, ...]
    #: Copies of the weights on nodes, made before the servers that load them.
    caches: tuple[Object, ...] = ()


def compile_llm(spec: ModelSpec, plan: ModelPlan, environment: Environment) -> CompiledLlm:
    """Compile a plan; a new release begins without traffic, unless it is the only one."""
    llm, first = spec.llm or Llm(), plan.live or plan.stable
    releases = sorted(plan.declared, key=lambda release: release.version)
    return CompiledLlm(
        tuple(_service(spec, llm, release, ALL if release is first else 0, environment) for release in releases),
        tuple(_cache(spec, llm, llm.node_cache, release) for release in releases) if llm.node_cache else (),
    )


def url_path(model: str, namespace: str) -> str:
    """Return the path that all releases of a model share (KServe's "publisher" path, config-llm-router-route.yaml)."""
    return f"/publishers/{namespace}/models/{model}/v1/chat/completions"


def llm_refusals(spec: ModelSpec, environment: Environment) -> Iterator[str]:
    """Refuse what an environment cannot do for an LLM."""
    if environment.delivery == "gitops":
        yield (
            f"{field_of(spec, 'llm')}Slipway moves its weights in the cluster, and Argo CD would revert them; set"
            f" {setting(environment, 'delivery')}direct in a separate stack"
        )
    if spec.llm and spec.llm.scheduler and environment.platform.gateway:
        yield (
            f"{field_of(spec, 'llm.scheduler')}needs a Gateway that routes to InferencePools, and Traefik,"
            f" {setting(environment, 'platform.gateway')}routes to none; leave it out"
        )
    if ARGUMENTS_VARIABLE in spec.serving.env:
        yield f"{field_of(spec, f'serving.env.{ARGUMENTS_VARIABLE}')}set by the platform; write llm.arguments"


def _service(spec: ModelSpec, llm: Llm, release: Release, weight: int, environment: Environment) -> Object:
    wire = LlmSpec(
        model=LlmModel(uri=_uri(llm, release), name=spec.name),
        replicas=spec.serving.replicas.min,
        parallelism=Parallelism(tensor=spec.serving.gpus) if spec.serving.gpus > 1 else None,
        kv_cache=KvCache(cpu=llm.kv_cache) if llm.kv_cache else None,
        annotations=business_case(spec) or None,
        template=Template(
            service_account_name=environment.service_account,
            tolerations=tolerations(spec),
            containers=(Container(env=_env(spec, llm), resources=resources_of(spec)),),
        ),
        router=Router(
            gateway=GatewayRefs(
                refs=(GatewayRef(name=environment.gateway.name, namespace=environment.gateway.namespace),)
            ),
            route=Route(group=spec.name, weight=weight),
            scheduler={} if llm.scheduler else None,
        ),
    )
    # The digest covers what is served, which the weight does not change.
    at_rest = wire.model_copy(update={"router": wire.router.model_copy(update={"route": None})})
    metadata = Metadata(
        name=names.inference_service(spec.name, release.version),
        namespace=environment.namespace,
        labels={names.MODEL: spec.name, **({names.COST_CENTER: spec.cost_center} if spec.cost_center else {})},
        annotations={**provenance(release, at_rest), **business_case(spec), "pulumi.com/waitFor": "condition=Ready"},
    )
    return LlmInferenceService(metadata=metadata, spec=wire).manifest()


def _uri(llm: Llm, release: Release) -> str:
    path = llm.path.strip("/")
    return f"{release.artifact.uri}/{path}" if path else release.artifact.uri


def _env(spec: ModelSpec, llm: Llm) -> tuple[EnvVar, ...]:
    env = {**spec.serving.env, ARGUMENTS_VARIABLE: " ".join(_arguments(llm, spec.serving.gpus))}
    return tuple(EnvVar(name=name, value=env[name]) for name in sorted(env))


def _arguments(llm: Llm, gpus: int) -> Iterator[str]:
    if gpus:
        yield f"--gpu-memory-utilization={llm.gpu_memory_percent / 100:g}"
    if llm.context_tokens:
        yield f"--max-model-len={llm.context_tokens}"
    if llm.concurrent_requests:
        yield f"--max-num-seqs={llm.concurrent_requests}"
    if llm.quantization:
        yield f"--quantization={llm.quantization}"
    if not llm.prefix_caching:
        yield "--no-enable-prefix-caching"
    yield from llm.arguments


def _cache(spec: ModelSpec, llm: Llm, cache: NodeCache, release: Release) -> Object:
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "LocalModelCache",
        "metadata": {"name": names.inference_service(spec.name, release.version), "labels": {names.MODEL: spec.name}},
        "spec": {"sourceModelUri": _uri(llm, release), "modelSize": cache.size, "nodeGroups": list(cache.node_groups)},
    }
