"""The rules about LLMInferenceServices; the rule about provenance is that of any model."""

from __future__ import annotations

from slipway import names
from slipway.models.servers import STORAGE
from slipway.policy.rule import LLM_INFERENCE_SERVICE, Check, Rule
from slipway.policy.serving import GPU_REMEDY, HAS_BUSINESS_CASE, logged_model, words
from slipway.settings.policies import PoliciesSettings

#: As for InferenceServices, the fields that choose no bytes: no adapters, no foreign base configuration, no workers.
_SPEC = (
    "model",
    "replicas",
    "scaling",
    "parallelism",
    "template",
    "kvCacheOffloading",
    "router",
    "tracing",
    "annotations",
)
_MODEL = ("uri", "name")
_TEMPLATE = ("serviceAccountName", "tolerations", "containers", "nodeSelector", "affinity", "securityContext")
_CONTAINER = ("name", "env", "resources", "securityContext", "livenessProbe", "readinessProbe", "startupProbe")
_CONTAINERS = "object.spec.?template.?containers.orValue([])"
_GPUS = "each.?resources.?limits[?'nvidia.com/gpu'].orValue(dyn('0'))"


def pinned_storage(settings: PoliciesSettings) -> Rule:
    """Allow only files of a logged model from a known bucket."""
    return Rule(
        "slipway-llm-pinned-storage",
        "An LLM's bytes are named once, by something that never moves.",
        LLM_INFERENCE_SERVICE,
        (
            Check(
                f"object.spec.?model.?uri.orValue('').matches(r'^{logged_model(settings)}(/[A-Za-z0-9][\\w.-]*)*$')",
                f"spec.model.uri: expected {STORAGE}<bucket>/…/m-<32 hex digits>/artifacts in one of"
                f" {', '.join(settings.buckets)}; an alias, a tag, a path of another kind may change under the model",
            ),
            Check(
                f"object.spec.all(field, field in {words(*_SPEC)})"
                f" && object.spec.?model.orValue({{}}).all(field, field in {words(*_MODEL)})"
                f" && object.spec.?annotations.orValue({{}}).all(key, key == '{names.BUSINESS_CASE}')",
                "spec: a field that can name other bytes than model.uri; remove it",
            ),
            Check(
                f"object.spec.?template.orValue({{}}).all(field, field in {words(*_TEMPLATE)})"
                f" && {_CONTAINERS}.all(each, each.all(field, field in {words(*_CONTAINER)}))",
                "spec.template: a field that can choose other bytes than model.uri; remove it",
            ),
        ),
    )


def replicas(settings: PoliciesSettings) -> Rule:
    """Bound the number of an LLM's servers."""
    least, most = settings.min_replicas, settings.max_replicas
    return Rule(
        "slipway-llm-replicas",
        "An LLM has a bounded number of servers.",
        LLM_INFERENCE_SERVICE,
        (
            Check(
                f"object.spec.?replicas.orValue(-1) >= {least} && object.spec.?replicas.orValue(-1) <= {most}",
                f"spec.replicas: expected {least} to {most}, said openly; set serving.replicas.min",
            ),
        ),
    )


def gpus(settings: PoliciesSettings) -> Rule:
    """Bound the GPUs of an LLM's server, at the object that its author reads."""
    whole = f"{_CONTAINERS}.all(each, string({_GPUS}).matches('^[0-9]{{1,3}}$'))"
    return Rule(
        "slipway-llm-gpus",
        "An LLM's server has few GPUs, or a business case.",
        LLM_INFERENCE_SERVICE,
        (
            Check(
                f"{whole} && ({HAS_BUSINESS_CASE}"
                f" || {_CONTAINERS}.map(each, int({_GPUS})).sum() <= {settings.max_gpus})",
                f"spec.template.containers: expected at most {settings.max_gpus} GPUs; {GPU_REMEDY}",
            ),
        ),
    )
