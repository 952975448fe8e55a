"""Kubernetes objects that every lab starts with.

Definitions, webhooks, configuration and runtimes are read from the files of the pinned modules; this module holds only
the lab's differences.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from slipway.errors import ExitCode, SlipwayError
from slipway.lab import network
from slipway.models.servers import MLSERVER
from slipway.objects import Object
from slipway.platform import runtimes
from slipway.platform.traefik import CONTROLLER
from slipway.policy.stages import namespace
from slipway.settings.policies import AUDIT

NAMESPACES = ("kserve", "flagger-system", "gateway-system", "models")
MODELS = "models"
RUNTIME = "slipway-mlserver"
SERVICE_ACCOUNT = "model-reader"
GATEWAY, GATEWAY_NAMESPACE = "models", "gateway-system"
#: Images that the kubelet's table knows (kubelet/images.py).
MLSERVER_IMAGE = "slipway.dev/mlserver:1.7.1-mlflow3.17.2"
STORAGE_INITIALIZER = "kserve/storage-initializer:v0.20.0"
#: Hosts of the lab end in it; Traefik matches the Host header, so no DNS is needed.
DOMAIN = "models.localhost"


@dataclass(frozen=True)
class Definition:
    """CustomResourceDefinition as the text that its module ships: parsing two megabytes of YAML takes seconds."""

    name: str
    text: str


def definitions(data: Mapping[str, Path]) -> list[Definition]:
    """Read the CRDs that KServe (without its LLM and cache parts), Flagger and Traefik need, largest first.

    Args:
        data: Root of each pinned module's files, by tool name.
    """
    crds = data["kserve"] / "config/crd/full"
    files = [
        *crds.glob("*.yaml"),
        *(crds / "clusterstoragecontainer").glob("*.yaml"),
        *(data["gateway-api"] / "config/crd/standard").glob("*.yaml"),
        data["flagger"] / "artifacts/flagger/crd.yaml",
        # Two kinds are used, but Traefik waits for all its kinds (pkg/provider/kubernetes/crd/client.go, WatchAll).
        *(data["traefik"] / "docs/content/reference/dynamic-configuration").glob("traefik.io_*.yaml"),
    ]
    found = [
        Definition(_name(text, file), text)
        for file in files
        for text in _documents(file)
        if "\nkind: CustomResourceDefinition" in text
    ]
    if not found:
        raise SlipwayError(f"{crds}: no CRDs found; build the tools again", ExitCode.MACHINE)
    return sorted(found, key=lambda definition: (-len(definition.text), definition.name))


def before_controllers(kserve: Path) -> list[Object]:
    """Return the objects that KServe's manager reads as it starts, in order."""
    # Policies audit in the namespaces, as in every environment for experiments.
    return [*(namespace(name, AUDIT, {}) for name in NAMESPACES), inference_service_config(kserve)]


def inference_service_config(kserve: Path) -> Object:
    """Return KServe's own configuration with plain Deployments, no ingress and an initializer that the kubelet has."""
    config = _one(kserve / "config/configmap/inferenceservice.yaml")
    values: dict[str, str] = {key: value for key, value in config["data"].items() if key != "_example"}

    def change(key: str, **changes: Any) -> None:
        values[key] = json.dumps({**json.loads(values[key]), **changes}, indent=1, sort_keys=True)

    change("deploy", defaultDeploymentMode="Standard")
    change("ingress", disableIngressCreation=True, ingressDomain=DOMAIN, disableIstioVirtualHost=True)
    change("storageInitializer", image=STORAGE_INITIALIZER, enableModelcar=False)
    return {**config, "data": values}


def storage_container(kserve: Path) -> Object:
    """Return KServe's default storage initializer with the image that the kubelet has."""
    container = _one(kserve / "config/storagecontainers/default.yaml")
    container["spec"]["container"]["image"] = STORAGE_INITIALIZER
    return container


def runtime(kserve: Path) -> Object:
    """Return KServe's MLServer runtime, adjusted as in every environment, for the server that the kubelet has."""
    return runtimes.adjusted(MLSERVER, _one(kserve / "config/runtimes/kserve-mlserver.yaml"), MLSERVER_IMAGE, RUNTIME)


def webhooks(kserve: Path, authority: bytes) -> list[Object]:
    """Return KServe's webhooks at the manager's own address, since there is no Service in front of it.

    Args:
        authority: The certificate (PEM) of the authority that signs the manager's certificate.
    """
    found = [yaml.load(text, _Loader) for text in _documents(kserve / "config/webhook/manifests.yaml")]
    for configuration in found:
        configuration["metadata"] = {"name": configuration["metadata"]["name"]}
        for webhook in configuration["webhooks"]:
            path = webhook["clientConfig"]["service"]["path"]
            webhook["clientConfig"] = {
                "url": f"https://{network.ADDRESS}:{network.WEBHOOK_PORT}{path}",
                "caBundle": base64.b64encode(authority).decode(),
            }
    return found


def gateway() -> list[Object]:
    """Return the Gateway of the users; Traefik requires its port to be that of its own entry point."""
    group = "gateway.networking.k8s.io/v1"
    listener = {
        "name": "http",
        "port": network.GATEWAY_PORT,
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    return [
        {
            "apiVersion": group,
            "kind": "GatewayClass",
            "metadata": {"name": "traefik"},
            "spec": {"controllerName": CONTROLLER},
        },
        {
            "apiVersion": group,
            "kind": "Gateway",
            "metadata": {"name": GATEWAY, "namespace": GATEWAY_NAMESPACE},
            "spec": {"gatewayClassName": "traefik", "listeners": [listener]},
        },
    ]


def model_reader(access_key: str, secret_key: str) -> list[Object]:
    """Return the service account whose credentials the storage initializer uses (KServe: pkg/credentials/s3)."""
    prefix = "serving.kserve.io"
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": SERVICE_ACCOUNT,
                "namespace": MODELS,
                "annotations": {
                    f"{prefix}/s3-endpoint": f"{network.ADDRESS}:{network.S3_PORT}",
                    f"{prefix}/s3-usehttps": "0",
                    f"{prefix}/s3-region": "us-east-1",
                    f"{prefix}/s3-usevirtualbucket": "false",
                },
            },
            "type": "Opaque",
            "stringData": {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key},
        },
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": SERVICE_ACCOUNT, "namespace": MODELS},
            "secrets": [{"name": SERVICE_ACCOUNT}],
        },
    ]


#: libyaml's, ten times faster; its type is the pure one's.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _one(file: Path) -> Object:
    (text,) = _documents(file)
    parsed: Object = yaml.load(text, _Loader)
    return parsed


def _documents(file: Path) -> list[str]:
    try:
        text = file.read_text()
    except OSError:
        raise SlipwayError(f"{file}: missing from the pinned module; build the tools again", ExitCode.MACHINE) from None
    parts = re.split(r"^---[ \t]*$", text, flags=re.MULTILINE)
    return [part for part in parts if re.search(r"^kind:", part, flags=re.MULTILINE)]


def _name(text: str, file: Path) -> str:
    found = re.search(r"^  name: *(\S+)", text, flags=re.MULTILINE)
    if not found:
        raise SlipwayError(f"{file}: a document has no metadata.name; build the tools again", ExitCode.MACHINE)
    return found.group(1)
