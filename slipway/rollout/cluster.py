"""Read the state of all models of a cluster in a fixed number of requests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from slipway.aws import access
from slipway.clients.kube import Kube, KubeError, Objects
from slipway.errors import ExitCode, SlipwayError
from slipway.rollout import llm, observed
from slipway.rollout.observed import ObservedModel
from slipway.settings.environment import Environment

#: Seconds for the answer to one request; a preview must not hang on an unreachable cluster.
TIMEOUT = 10.0

INFERENCE_SERVICE = ("serving.kserve.io/v1beta1", "InferenceService")
CANARY = ("flagger.app/v1beta1", "Canary")
SERVICE = ("v1", "Service")
ROUTE = ("gateway.networking.k8s.io/v1", "HTTPRoute")


def connect(environment: Environment, project: Path) -> Kube:
    """Return a client for the cluster of an environment.

    Raises:
        SlipwayError: The environment names no kubeconfig, or one that cannot be used.
    """
    if environment.cluster.eks:
        return access.connect(environment, TIMEOUT)
    return Kube.from_kubeconfig(kubeconfig(environment, project), environment.cluster.context, TIMEOUT)


def kubeconfig(environment: Environment, project: Path) -> Path:
    """Return the path of an environment's kubeconfig; a relative path starts at the project.

    Raises:
        SlipwayError: The setting or the file is missing.
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
    """Read the state of models in five requests.

    Raises:
        KubeError: The cluster cannot be reached or refuses.
        SlipwayError: A Service of a model selects something other than one of its versions.
    """
    wanted = sorted(models)
    llms = llm.observe_all(list_if_known(kube, llm.LLM, namespace))
    return observed.observe_all(wanted, objects(kube, namespace)) | {
        name: llms[name] for name in wanted if name in llms
    }


def objects(kube: Kube, namespace: str) -> Objects:
    """List the Services, Canaries, InferenceServices and HTTPRoutes of a namespace. Raises KubeError."""
    found = [*kube.list(*SERVICE, namespace)]
    return found + [
        each for kind in (CANARY, INFERENCE_SERVICE, ROUTE) for each in list_if_known(kube, kind, namespace)
    ]


def list_if_known(kube: Kube, kind: tuple[str, str], namespace: str) -> Objects:
    """List objects of a kind; none where the cluster lacks the CRD."""
    try:
        return kube.list(*kind, namespace)
    except KubeError as error:
        if error.status == 404:
            return []
        raise
