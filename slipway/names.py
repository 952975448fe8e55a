"""The names that a model has in a cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: Our own prefix of labels and annotations; Flagger is told to keep it (`-include-label-prefix`).
PREFIX = "slipway.dev/"
#: How pods ask for GPUs; nodes that have them, which are dear, are tainted with the same key against all others.
GPU = "nvidia.com/gpu"
MODEL = f"{PREFIX}model"
RELEASE = f"{PREFIX}release"
COST_CENTER = f"{PREFIX}cost-center"
MODEL_DIGEST = f"{PREFIX}model-digest"
SERVING_DIGEST = f"{PREFIX}serving-digest"
#: Why it needs more GPUs than policies allow.
BUSINESS_CASE = f"{PREFIX}business-case"
#: On an InferenceService whose pods have an agent that sends payloads: where to.
PAYLOADS = f"{PREFIX}payloads"
#: Argo CD's note on every object that it applies: which Application it belongs to.
TRACKING = "argocd.argoproj.io/tracking-id"
#: The service account of training jobs: it may write artifacts, models may only read them.
TRAINER = "training"

#: A DNS-1035 label, as Kubernetes asks of a Service's name.
NAME = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
#: A label value has at most 63 characters (Kubernetes), and KServe's longest one for a predictor is
#: `isvc.<name>-predictor` (kserve pkg/constants/constants.go, GetRawServiceLabel of PredictorServiceName).
MAX_INFERENCE_SERVICE = 63 - len("isvc.") - len("-predictor")


def inference_service(model: str, version: int) -> str:
    """Name the InferenceService of one version."""
    return f"{model}-v{version}"


def primary(model: str) -> str:
    """Name the Service that carries what users get."""
    return f"{model}-primary"


def canary(model: str) -> str:
    """Name the Service that carries what is being tried."""
    return f"{model}-canary"


def shadow(service: str) -> str:
    """Name what has requests copied to an InferenceService while it is tried."""
    return f"{service}-shadow"


def predictor(service: str) -> str:
    """Name what KServe derives from an InferenceService: its Deployment, its Service."""
    return f"{service}-predictor"


def selector(service: str) -> dict[str, str]:
    """Return the labels that KServe gives the pods of an InferenceService, as a Service selects them."""
    return {"app": f"isvc.{predictor(service)}"}


def version_in(service: str, model: str | None = None) -> int | None:
    """Return the version that an InferenceService's name ends in; None for any other name, or for another model's."""
    match = re.fullmatch(r"(.+)-v([1-9][0-9]*)", service)
    return int(match[2]) if match and model in (None, match[1]) else None


def selected_version(model: str, labels: Mapping[str, str]) -> int | None:
    """Return the version that a selector names; None where it names none of this model's."""
    service = labels.get("app", "").removeprefix("isvc.").removesuffix("-predictor")
    return version_in(service, model) if labels == selector(service) else None


def host(model: str, suffix: str) -> str:
    """Name the host that users ask."""
    return f"{model}.{suffix}"


def infer_path(model: str) -> str:
    """Return the path that a model is asked at: `POST` of the Open Inference Protocol (V2)."""
    return f"/v2/models/{model}/infer"


def base_of(name: str) -> str | None:
    """Return the model that would take `name` for one of its own objects, at some version; None for no model."""
    match = re.fullmatch(r"(.+?)(?:-primary|-canary|-v[1-9][0-9]*(?:-predictor)?)", name)
    return match[1] if match else None
