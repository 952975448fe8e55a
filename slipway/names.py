"""Names of a model's objects, labels and paths in a cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: Prefix of our labels and annotations; Flagger keeps them (`-include-label-prefix`).
PREFIX = "slipway.dev/"
#: The resource of GPUs; nodes with GPUs, which are expensive, have a taint of the same key.
GPU = "nvidia.com/gpu"
MODEL = f"{PREFIX}model"
RELEASE = f"{PREFIX}release"
COST_CENTER = f"{PREFIX}cost-center"
MODEL_DIGEST = f"{PREFIX}model-digest"
SERVING_DIGEST = f"{PREFIX}serving-digest"
#: The reason for more GPUs than policies allow.
BUSINESS_CASE = f"{PREFIX}business-case"
#: On an InferenceService whose agent sends payloads: their receiver.
PAYLOADS = f"{PREFIX}payloads"
#: Argo CD's annotation on every object that it applies: the Application.
TRACKING = "argocd.argoproj.io/tracking-id"
#: The service account of training jobs, which may write artifacts; models may only read them.
TRAINER = "training"

#: A DNS-1035 label, as Kubernetes asks of a Service's name.
NAME = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
#: A label value has at most 63 characters (Kubernetes), and KServe's longest one for a predictor is
#: `isvc.<name>-predictor` (kserve pkg/constants/constants.go, GetRawServiceLabel of PredictorServiceName).
MAX_INFERENCE_SERVICE = 63 - len("isvc.") - len("-predictor")


def inference_service(model: str, version: int) -> str:
    """Return the name of a version's InferenceService."""
    return f"{model}-v{version}"


def primary(model: str) -> str:
    """Return the name of the Service of the live version."""
    return f"{model}-primary"


def canary(model: str) -> str:
    """Return the name of the Service of the candidate."""
    return f"{model}-canary"


def shadow(service: str) -> str:
    """Return the name of the objects that copy requests to a candidate's InferenceService."""
    return f"{service}-shadow"


def predictor(service: str) -> str:
    """Return the name of the Deployment and the Service that KServe derives from an InferenceService."""
    return f"{service}-predictor"


def selector(service: str) -> dict[str, str]:
    """Return the selector of an InferenceService's pods, by KServe's labels."""
    return {"app": f"isvc.{predictor(service)}"}


def version_in(service: str, model: str | None = None) -> int | None:
    """Return the version in an InferenceService's name; None for another name or another model."""
    match = re.fullmatch(r"(.+)-v([1-9][0-9]*)", service)
    return int(match[2]) if match and model in (None, match[1]) else None


def selected_version(model: str, labels: Mapping[str, str]) -> int | None:
    """Return the version that a selector names; None if it names none of this model."""
    service = labels.get("app", "").removeprefix("isvc.").removesuffix("-predictor")
    return version_in(service, model) if labels == selector(service) else None


def host(model: str, suffix: str) -> str:
    """Return the host of a model."""
    return f"{model}.{suffix}"


def infer_path(model: str) -> str:
    """Return the path of inference: `POST` in the Open Inference Protocol (V2)."""
    return f"/v2/models/{model}/infer"


def base_of(name: str) -> str | None:
    """Return the model that would name one of its objects `name`, at some version; None for no model."""
    match = re.fullmatch(r"(.+?)(?:-primary|-canary|-v[1-9][0-9]*(?:-predictor)?)", name)
    return match[1] if match else None
