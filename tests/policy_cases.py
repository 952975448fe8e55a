"""One object for everything that a policy looks at: what it admits, what it refuses for which reason."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

from builders import a_plan, a_release, a_spec, an_environment

from slipway.compile import compile_model
from slipway.compile.llm import compile_llm
from slipway.names import BUSINESS_CASE
from slipway.policy import llm
from slipway.policy.pods import gpus, images, spot_training, unprivileged
from slipway.policy.rule import LLM_INFERENCE_SERVICE, Rule
from slipway.policy.serving import pinned_storage, provenance, replicas, served_gpus
from slipway.policy.stages import TRAINING
from slipway.settings.policies import PoliciesSettings

SETTINGS = PoliciesSettings()
DIGEST = "@sha256:" + "a" * 64
NAMESPACE = "models"
URI = "s3://mlflow/churn/models/m-" + "1" * 32 + "/artifacts"
PREDICTOR, MODEL = "spec.predictor", "spec.predictor.model"
LIMITS = "resources.limits"

ENVIRONMENT = an_environment("prod", namespace=NAMESPACE)
#: As it is compiled: what slipway writes must pass.
SERVICE = compile_model(a_spec(), a_plan(a_release(uri=URI)), ENVIRONMENT).inference_services[0]
LLM = compile_llm(
    a_spec("assistant", llm={}, serving={"gpus": 1}), a_plan(a_release("assistant", uri=URI)), ENVIRONMENT
).inference_services[0]
SAFE = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
CONTAINER = {"name": "server", "image": f"docker.io/seldonio/mlserver:1.7.1{DIGEST}", "securityContext": SAFE}
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "good", "namespace": NAMESPACE},
    "spec": {"containers": [CONTAINER]},
}


@dataclass(frozen=True)
class Case:
    """An object, with what one rule says to it.

    Args:
        rule: Which.
        object: It.
        broken: Number of the only check that does not hold; None if it is admitted.
    """

    rule: Rule
    object: dict[str, Any]
    broken: int | None = None


def changed(base: dict[str, Any], name: str, edits: dict[str, Any]) -> dict[str, Any]:
    """Copy an object under another name, with other values at some paths; None removes what is there.

    Args:
        edits: Path, its steps parted by dots (a number is a place in a list), to value; `@key` is an annotation,
            `#key` a label.
    """
    made = copy.deepcopy(base)
    made["metadata"]["name"] = name
    for path, value in edits.items():
        steps = path.split(".")
        if path[0] in "@#":
            steps = ["metadata", "annotations" if path[0] == "@" else "labels", path[1:]]
        *way, last = (int(step) if step.isdigit() else step for step in steps)
        node = made
        for step in way:
            node = node[step] if isinstance(step, int) else node.setdefault(step, {})
        if value is None:
            del node[last]
        else:
            node[last] = value
    return made


def case(rule: Rule, base: dict[str, Any], broken: int | None, name: str, **edits: Any) -> Case:
    return Case(rule, changed(base, f"{rule.name.removeprefix('slipway-')}-{name}", edits), broken)


def _provenance() -> list[Case]:
    rule = provenance()
    made = [Case(rule, changed(SERVICE, "provenance-good", {}))]
    for number, check in enumerate(rule.checks):
        key = check.message.split("[")[1].split("]")[0]
        short = key.split("/")[1]
        made += [
            case(rule, SERVICE, number, f"no-{short}", **{f"@{key}": None}),
            case(rule, SERVICE, number, f"empty-{short}", **{f"@{key}": ""}),
            case(rule, SERVICE, number, f"more-{short}", **{f"@{key}": SERVICE["metadata"]["annotations"][key] + "\n"}),
        ]
    return [*made, case(rule, SERVICE, 3, "weak-dataset", **{"@slipway.dev/dataset-hash": "mlflow-weak:01234567"})]


def _pinned_storage() -> list[Case]:
    rule = pinned_storage(SETTINGS)
    make = partial(case, rule, SERVICE)
    uris = {
        "alias": "models:/churn@champion",
        "run": "runs:/" + "1" * 32 + "/model",
        "hub": "hf://org/model",
        "claim": "pvc://claim/model",
        "http": "https://example.com/model.tar.gz",
        "other-bucket": URI.replace("mlflow", "mlflow-evil"),
        "up": URI.replace("churn", ".."),
        "latest": "s3://mlflow/churn/latest/artifacts",
        "newline": URI + "\n",
        "before": "x" + URI,
    }
    fields: dict[str, Any] = {
        "containers": [CONTAINER],
        "sklearn": {"storageUri": "s3://evil/x"},
        "storageUris": [{"uri": "s3://evil/x", "mountPath": "/mnt/models"}],
        "storageContainerName": "own",
        "initContainers": [{**CONTAINER, "name": "storage-initializer"}],
        "volumes": [{"name": "own", "emptyDir": {}}],
        "annotations": {"internal.serving.kserve.io/agent": "true"},
        "workerSpec": {},
    }
    parts: dict[str, Any] = {
        "storage": {"path": "x"},
        "args": ["--model_dir=/other"],
        "command": ["sh"],
        "image": "evil",
        "volumeMounts": [{"name": "own", "mountPath": "/mnt/models"}],
        "envFrom": [{"configMapRef": {"name": "own"}}],
    }
    return [
        make(None, "good"),
        make(None, "scaled", **{f"{PREDICTOR}.scaleTarget": 80, f"{PREDICTOR}.timeout": 5}),
        make(None, "tuned", **{f"{MODEL}.env": [{"name": "MLSERVER_PARALLEL_WORKERS", "value": "2"}]}),
        make(0, "nothing", **{f"{MODEL}.storageUri": None}),
        *(make(0, name, **{f"{MODEL}.storageUri": uri}) for name, uri in uris.items()),
        make(1, "transformer", **{"spec.transformer": {"containers": [CONTAINER]}}),
        make(1, "explainer", **{"spec.explainer": {"containers": [CONTAINER]}}),
        make(1, "canary", **{"spec.canary": [{"predictor": {}}]}),
        *(make(2, name.lower(), **{f"{PREDICTOR}.{name}": value}) for name, value in fields.items()),
        *(make(3, name.lower(), **{f"{MODEL}.{name}": value}) for name, value in parts.items()),
        make(4, "uri", **{f"{MODEL}.env": [{"name": "MLSERVER_MODEL_URI", "value": "/other"}]}),
        make(4, "path", **{f"{MODEL}.env": [{"name": "PYTHONPATH", "value": "/other"}]}),
        make(5, "agent", **{"@internal.serving.kserve.io/agent": "true"}),
        make(5, "local", **{"#internal.serving.kserve.io/localmodel": "own"}),
        make(5, "writable", **{"@storage.kserve.io/readonly": "false"}),
    ]


def _replicas() -> list[Case]:
    make = partial(case, replicas(SETTINGS), SERVICE)
    least, most = f"{PREDICTOR}.minReplicas", f"{PREDICTOR}.maxReplicas"
    return [
        make(None, "good"),
        make(None, "many", **{least: 20, most: 20}),
        make(0, "none", **{least: 0}),
        make(0, "unsaid-min", **{least: None}),
        make(1, "too-many", **{most: 21}),
        make(2, "reversed", **{least: 3, most: 2}),
    ]


def _served_gpus() -> list[Case]:
    make, limit = partial(case, served_gpus(SETTINGS), SERVICE), f"{MODEL}.{LIMITS}"
    return [
        make(None, "none"),
        make(None, "two", **{limit: {"nvidia.com/gpu": "2"}}),
        make(None, "number", **{limit: {"nvidia.com/gpu": 2}}),
        make(None, "reason", **{limit: {"nvidia.com/gpu": "8"}, f"@{BUSINESS_CASE}": "fraud, approved by risk"}),
        make(0, "three", **{limit: {"nvidia.com/gpu": "3"}}),
        make(0, "milli", **{limit: {"nvidia.com/gpu": "2500m"}}),
        make(0, "no-reason", **{limit: {"nvidia.com/gpu": "8"}, f"@{BUSINESS_CASE}": " "}),
    ]


def _gpus() -> list[Case]:
    make, limit = partial(case, gpus(SETTINGS), POD), "resources.limits"

    def container(count: Any) -> dict[str, Any]:
        return {**CONTAINER, "name": f"c{count}", "resources": {"limits": {"nvidia.com/gpu": count}}}

    return [
        make(None, "none"),
        make(None, "one-and-one", **{"spec.containers": [container("1"), {**container(1), "name": "other"}]}),
        make(None, "initialising", **{"spec.initContainers": [container("2")], "spec.containers": [container("1")]}),
        make(None, "reason", **{"spec.containers": [container("4")], f"@{BUSINESS_CASE}": "fraud"}),
        make(0, "milli", **{f"spec.containers.0.{limit}": {"nvidia.com/gpu": "2500m"}}),
        make(1, "three", **{"spec.containers": [container("3")]}),
        make(1, "two-and-one", **{"spec.containers": [container("2"), container(1)]}),
        make(2, "initialising-four", **{"spec.initContainers": [container(4)]}),
    ]


def _spot() -> list[Case]:
    make = partial(case, spot_training(TRAINING))
    toleration = {"key": "slipway.dev/pool", "value": "training", "effect": "NoSchedule"}
    spot = {"eks.amazonaws.com/capacityType": "SPOT"}
    edits = {"metadata.namespace": TRAINING, "spec.nodeSelector": spot, "spec.tolerations": [toleration]}
    good = changed(POD, "good", edits)
    return [
        make(good, None, "good"),
        make(good, None, "karpenter", **{"spec.nodeSelector": {"karpenter.sh/capacity-type": "spot"}}),
        make(good, 0, "anywhere", **{"spec.nodeSelector": None}),
        make(good, 0, "on-demand", **{"spec.nodeSelector": {"eks.amazonaws.com/capacityType": "ON_DEMAND"}}),
        make(good, 1, "untolerant", **{"spec.tolerations": None}),
        make(good, 1, "all-tolerant", **{"spec.tolerations": [{"operator": "Exists"}]}),
        make(good, 1, "other-pool", **{"spec.tolerations": [{**toleration, "value": "gpu"}]}),
    ]


def _images() -> list[Case]:
    make = partial(case, images(SETTINGS), POD)
    other = {**CONTAINER, "name": "other", "image": "docker.io/seldonio/mlserver:1.7.1"}
    volume = {"name": "v", "image": {"reference": f"docker.io/kserve/model{DIGEST}"}}
    return [
        make(None, "good"),
        make(None, "volume", **{"spec.volumes": [volume, {"name": "w", "emptyDir": {}}]}),
        make(0, "tag", **{"spec.containers.0.image": "docker.io/seldonio/mlserver:latest"}),
        make(0, "registry", **{"spec.containers.0.image": f"evil.example.com/seldonio/mlserver{DIGEST}"}),
        make(0, "look-alike", **{"spec.containers.0.image": f"docker.io/seldonio.evil/x{DIGEST}"}),
        make(0, "short", **{"spec.containers.0.image": "docker.io/seldonio/mlserver@sha256:aaaa"}),
        make(0, "initialising", **{"spec.initContainers": [other]}),
        make(0, "debugging", **{"spec.ephemeralContainers": [other]}),
        make(1, "volume-tag", **{"spec.volumes": [{"name": "v", "image": {"reference": "docker.io/kserve/m:1"}}]}),
    ]


def _unprivileged() -> list[Case]:
    make, context = partial(case, unprivileged(), POD), "spec.containers.0.securityContext"
    rude = {**CONTAINER, "name": "rude", "securityContext": {**SAFE, "privileged": True}}
    return [
        make(None, "good"),
        make(0, "privileged", **{f"{context}.privileged": True}),
        make(0, "initialising", **{"spec.initContainers": [rude]}),
        make(0, "debugging", **{"spec.ephemeralContainers": [rude]}),
        make(1, "escalating", **{f"{context}.allowPrivilegeEscalation": True}),
        make(1, "unsaid", **{context: None}),
        make(2, "capable", **{f"{context}.capabilities": {"add": ["SYS_ADMIN"]}}),
        *(make(3, name.lower(), **{f"spec.{name}": True}) for name in ("hostPID", "hostNetwork", "hostIPC")),
        make(4, "host-path", **{"spec.volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
    ]


def _llm() -> list[Case]:
    stored, counted, limited = llm.pinned_storage(SETTINGS), llm.replicas(SETTINGS), llm.gpus(SETTINGS)
    stores, replicas_, gpus_ = (partial(case, rule, LLM) for rule in (stored, counted, limited))
    main = LLM["spec"]["template"]["containers"][0]
    limit = "spec.template.containers.0.resources.limits"
    from_ = [case(provenance("slipway-llm-provenance", LLM_INFERENCE_SERVICE), LLM, None, "good")]
    return [
        *from_,
        case(from_[0].rule, LLM, 1, "no-digest", **{"@slipway.dev/model-digest": None}),
        stores(None, "good"),
        stores(None, "below", **{"spec.model.uri": f"{URI}/model/weights"}),
        stores(0, "hub", **{"spec.model.uri": "hf://org/model"}),
        stores(0, "latest", **{"spec.model.uri": "s3://mlflow/assistant/latest/artifacts"}),
        stores(0, "up", **{"spec.model.uri": f"{URI}/../../other"}),
        stores(1, "adapters", **{"spec.model.lora": {"adapters": [{"name": "a", "uri": "hf://evil/a"}]}}),
        stores(1, "base", **{"spec.baseRefs": [{"name": "own"}]}),
        stores(1, "worker", **{"spec.worker": {"containers": [main]}}),
        stores(1, "pods", **{"spec.annotations": {"internal.serving.kserve.io/agent": "true"}}),
        stores(2, "initialising", **{"spec.template.initContainers": [main]}),
        stores(2, "args", **{"spec.template.containers.0.args": ["--model=/other"]}),
        stores(2, "image", **{"spec.template.containers.0.image": "evil"}),
        replicas_(None, "good"),
        replicas_(0, "unsaid", **{"spec.replicas": None}),
        replicas_(0, "many", **{"spec.replicas": 21}),
        gpus_(None, "good"),
        gpus_(None, "reason", **{limit: {"nvidia.com/gpu": "8"}, f"@{BUSINESS_CASE}": "everybody's assistant"}),
        gpus_(0, "eight", **{limit: {"nvidia.com/gpu": "8"}}),
        gpus_(0, "milli", **{limit: {"nvidia.com/gpu": "2500m"}}),
    ]


CASES = [
    *_provenance(),
    *_pinned_storage(),
    *_replicas(),
    *_served_gpus(),
    *_llm(),
    *_gpus(),
    *_spot(),
    *_images(),
    *_unprivileged(),
]
