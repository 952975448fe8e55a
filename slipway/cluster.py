"""What a cluster shows of the models, read in a number of requests that does not grow with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from slipway import names
from slipway.environment import Environment
from slipway.errors import ExitCode, SlipwayError
from slipway.kube import Kube, KubeError, Objects
from slipway.rollout import ObservedModel, ObservedService

#: Seconds for the answer to one request; a preview must not hang on a cluster that is away.
TIMEOUT = 10.0

INFERENCE_SERVICE = ("serving.kserve.io/v1beta1", "InferenceService")
CANARY = ("flagger.app/v1beta1", "Canary")


def connect(environment: Environment, project: Path) -> Kube:
    """Return the cluster of an environment.

    Raises:
        SlipwayError: The environment names no kubeconfig, or one that cannot be used.
    """
    return Kube.from_kubeconfig(kubeconfig(environment, project), environment.cluster.context, TIMEOUT)


def kubeconfig(environment: Environment, project: Path) -> Path:
    """Say which kubeconfig an environment has; a relative one is relative to the project.

    Raises:
        SlipwayError: It has none, or the file is not there.
    """
    where, file = f"Pulumi.{environment.name}.yaml: slipway:cluster.kubeconfig: ", environment.cluster.kubeconfig
    if file is None:
        raise SlipwayError(
            f"{where}missing; set it to the kubeconfig file of the cluster {environment.cluster.identifier}",
            ExitCode.UNREACHABLE,
        )
    path = project / Path(file).expanduser()
    if not path.is_file():
        raise SlipwayError(
            f"{where}no such file {file}; start the cluster (`slipway lab up` for the lab) or correct it",
            ExitCode.UNREACHABLE,
        )
    return path


def observe(kube: Kube, namespace: str, models: Iterable[str]) -> dict[str, ObservedModel]:
    """Read the rollout state of models: three lists, whatever their number.

    Raises:
        KubeError: The cluster cannot be reached or refuses.
    """
    services = {_name(item): item for item in kube.list("v1", "Service", namespace)}
    canaries = {_name(item): item for item in _list(kube, CANARY, namespace)}
    running: dict[str, dict[str, ObservedService]] = {}
    for item in _list(kube, INFERENCE_SERVICE, namespace):
        model = str((item["metadata"].get("labels") or {}).get(names.MODEL, ""))
        if (service := _observed_service(model, item)) is not None:
            running.setdefault(model, {})[_name(item)] = service
    return {
        model: _observed_model(model, services, canaries.get(model, {}), running.get(model, {}))
        for model in sorted(models)
    }


def _observed_model(
    model: str, services: Mapping[str, Any], canary: Mapping[str, Any], running: Mapping[str, ObservedService]
) -> ObservedModel:
    def selected(name: str) -> int | None:
        return names.selected_version(model, services.get(name, {}).get("spec", {}).get("selector") or {})

    status = canary.get("status") or {}
    return ObservedModel(
        live_version=selected(names.primary(model)),
        target_version=selected(model),
        phase=status.get("phase") or None,
        services=dict(sorted(running.items())),
        weight=int(status.get("canaryWeight") or 0),
    )


def _observed_service(model: str, item: Mapping[str, Any]) -> ObservedService | None:
    version = names.selected_version(model, names.selector(_name(item)))
    if version is None:
        return None
    notes = item["metadata"].get("annotations") or {}
    conditions = (item.get("status") or {}).get("conditions") or []
    return ObservedService(
        version=version,
        release_id=str(notes.get(names.RELEASE, "")),
        ready=any(c["type"] == "Ready" and c["status"] == "True" for c in conditions),
        serving_digest=str(notes.get(names.SERVING_DIGEST, "")),
        model_digest=str(notes.get(names.MODEL_DIGEST, "")),
    )


def _list(kube: Kube, kind: tuple[str, str], namespace: str) -> Objects:
    """List objects; a cluster without the CRD has none of them."""
    try:
        return kube.list(*kind, namespace)
    except KubeError as error:
        if error.status == 404:
            return []
        raise


def _name(item: Mapping[str, Any]) -> str:
    return str(item["metadata"]["name"])
