"""The rules about InferenceServices."""

from __future__ import annotations

import re

from slipway import names
from slipway.models.servers import SERVERS, STORAGE
from slipway.policy.rule import INFERENCE_SERVICE, Check, Rule, Target
from slipway.settings.policies import PoliciesSettings

_SHA256 = "^sha256:[0-9a-f]{64}$"
#: Annotations of a release: pattern and meaning of each; `slipway.compile.model.provenance` writes them.
_PROVENANCE = {
    names.RELEASE: ("^v[1-9][0-9]*-[0-9a-f]{12}$", "the id of a release, as v7-0123456789ab"),
    names.MODEL_DIGEST: (_SHA256, "the sha256 of the model's files"),
    names.SERVING_DIGEST: (_SHA256, "the sha256 of how it is served"),
    f"{names.PREFIX}dataset-hash": (_SHA256, "a sha256 of the dataset, which training records"),
    f"{names.PREFIX}git-commit": ("^([0-9a-f]{40}|[0-9a-f]{64})$", "the whole hash of a commit"),
    f"{names.PREFIX}training-run-id": ("^[0-9a-f]{32}$", "the id of an MLflow run"),
}

#: The fields that choose no bytes. The list is of allowed ones: KServe has a dozen ways to name a model (a framework's
#: field, containers, volumes, storageUris, a container with the initializer's name …), and gets more.
_PREDICTOR = (
    *("model", "minReplicas", "maxReplicas", "serviceAccountName", "scaleTarget", "scaleMetric", "scaleMetricType"),
    *("autoScaling", "containerConcurrency", "timeout", "logger", "batcher", "deploymentStrategy", "nodeSelector"),
    *("tolerations", "affinity", "topologySpreadConstraints", "priorityClassName", "imagePullSecrets"),
    *("securityContext", "automountServiceAccountToken", "terminationGracePeriodSeconds", "runtimeClassName"),
)
_MODEL = (
    *("modelFormat", "protocolVersion", "runtime", "storageUri", "name", "env", "ports", "resources"),
    *("livenessProbe", "readinessProbe", "startupProbe", "securityContext"),
)

_ANNOTATIONS = "object.metadata.?annotations.orValue({})"
_LABELS = "object.metadata.?labels.orValue({})"
_ENV = "object.spec.?predictor.?model.?env.orValue([])"
_GPUS = "object.spec.?predictor.?model.?resources.?limits[?'nvidia.com/gpu'].orValue(dyn('0'))"
#: An annotation with a few letters in it.
HAS_BUSINESS_CASE = f"object.metadata.?annotations[?'{names.BUSINESS_CASE}'].orValue('').matches('[A-Za-z]{{3}}')"
GPU_REMEDY = "ask for fewer, or say why in serving.business_case of the model"


def provenance(name: str = "slipway-provenance", target: Target = INFERENCE_SERVICE) -> Rule:
    """Require annotations of a model's origin."""
    return Rule(
        name,
        "A model says which run, data, commit it was made of.",
        target,
        tuple(
            Check(
                f"object.metadata.?annotations[?'{key}'].orValue('').matches('{pattern}')",
                f"metadata.annotations[{key}]: expected {what}; slipway writes it",
            )
            for key, (pattern, what) in _PROVENANCE.items()
        ),
    )


def pinned_storage(settings: PoliciesSettings) -> Rule:
    """Allow only logged models, whose names MLflow never reuses, from a known bucket."""
    ours = words(*(name for server in SERVERS for name in (server.name_variable, server.version_variable)))
    choosing = " || ".join(f"name.startsWith('{server.choosing}')" for server in SERVERS)
    return Rule(
        "slipway-pinned-storage",
        "A model's bytes are named once, by something that never moves.",
        INFERENCE_SERVICE,
        (
            Check(
                f"object.spec.?predictor.?model.?storageUri.orValue('').matches(r'^{logged_model(settings)}$')",
                f"spec.predictor.model.storageUri: expected {STORAGE}<bucket>/…/m-<32 hex digits>/artifacts in one of"
                f" {', '.join(settings.buckets)}; an alias, a tag, a path of another kind may change under the model",
            ),
            Check(
                "object.spec.all(field, field == 'predictor')",
                "spec: expected nothing but a predictor; Flagger moves the traffic, nothing stands in between",
            ),
            Check(
                f"object.spec.?predictor.orValue({{}}).all(field, field in {words(*_PREDICTOR)})",
                "spec.predictor: a field that can name a model too, or change its pod; leave it to `model`",
            ),
            Check(
                f"object.spec.?predictor.?model.orValue({{}}).all(field, field in {words(*_MODEL)})",
                "spec.predictor.model: a field that can choose other bytes than storageUri; remove it",
            ),
            Check(
                f"{_ENV}.map(each, each.?name.orValue('')).all(name, name in {ours}"
                f" || !({choosing} || name in ['STORAGE_URI', 'PYTHONPATH', 'LD_PRELOAD']))",
                "spec.predictor.model.env: a variable that can choose other bytes than storageUri; remove it",
            ),
            Check(
                f"[{_ANNOTATIONS}, {_LABELS}].all(keys, keys.all(key, !key.startsWith('internal.serving.kserve.io/')))"
                f" && {_ANNOTATIONS}[?'storage.kserve.io/readonly'].orValue('true') == 'true'",
                "metadata: a key that reroutes KServe's loading or lets the server write to the model; remove it",
            ),
        ),
    )


def replicas(settings: PoliciesSettings) -> Rule:
    """Bound the number of a model's servers."""
    least, most = settings.min_replicas, settings.max_replicas
    return Rule(
        "slipway-replicas",
        "A model has a bounded number of servers.",
        INFERENCE_SERVICE,
        (
            Check(
                f"object.spec.?predictor.?minReplicas.orValue(-1) >= {least}",
                f"spec.predictor.minReplicas: expected at least {least}, said openly; set serving.replicas.min",
            ),
            Check(
                f"object.spec.?predictor.?maxReplicas.orValue({most + 1}) <= {most}",
                f"spec.predictor.maxReplicas: expected at most {most}, said openly; set serving.replicas.max",
            ),
            Check(
                "object.spec.?predictor.?maxReplicas.orValue(0) >= object.spec.?predictor.?minReplicas.orValue(0)",
                "spec.predictor.maxReplicas: expected at least minReplicas; set serving.replicas",
            ),
        ),
    )


def served_gpus(settings: PoliciesSettings) -> Rule:
    """Bound the GPUs of a model's server, at the object that its author reads."""
    return Rule(
        "slipway-served-gpus",
        "A model's server has few GPUs, or a business case.",
        INFERENCE_SERVICE,
        (
            Check(
                f"string({_GPUS}).matches('^[0-9]{{1,3}}$')"
                f" && (int({_GPUS}) <= {settings.max_gpus} || {HAS_BUSINESS_CASE})",
                f"spec.predictor.model.resources.limits: expected at most {settings.max_gpus} GPUs; {GPU_REMEDY}",
            ),
        ),
    )


def logged_model(settings: PoliciesSettings) -> str:
    """Return the pattern of a logged model's address."""
    buckets = "|".join(map(re.escape, settings.buckets))
    return rf"{STORAGE}({buckets})/([A-Za-z0-9][A-Za-z0-9._-]*/)*m-[0-9a-f]{{32}}/artifacts"


def words(*texts: str) -> str:
    """Return a list of texts in CEL."""
    return f"[{', '.join(repr(text) for text in texts)}]"
