"""Traefik with the flags and the rights that the gateway gives it, no others, against the real API server."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from builders import an_environment

from slipway.clients.kube import Kube
from slipway.objects import Object
from slipway.platform.compiling import context_of
from slipway.platform.gateway import METRICS, NAME, PING, PORTS, compile_gateway
from slipway.settings.checkout import Checkout
from slipway.settings.serving import GatewaySettings
from slipway.tools import toolchain

GATEWAY, MODELS, ELSEWHERE = "rights-gateway", "rights-models", "rights-elsewhere"
RBAC = "rbac.authorization.k8s.io/v1"
HOSTS = {MODELS: "churn.rights.example.com", ELSEWHERE: "intruder.rights.example.com"}


@dataclass(frozen=True)
class Traefik:
    """One that runs.

    Args:
        url: Where users would reach it.
        log: What it writes.
    """

    url: str
    log: Path

    def answers(self, host: str) -> int:
        """Say with which status it answers for a host."""
        with requests.Session() as session:
            session.trust_env = False
            return session.get(self.url, headers={"Host": host}, timeout=5).status_code


@pytest.fixture(scope="module")
def traefik(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traefik]:
    """Start it as its own service account, with a route in the models' namespace, another elsewhere."""
    kube: Kube = lab.kube
    directory = tmp_path_factory.mktemp("traefik")
    free = ports(3)
    objects = gateway(directory, free[0])
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (MODELS, ELSEWHERE)]
    wanted = ("Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "RoleBinding", "Service", "Gateway")
    for each in [*spaces, *(each for each in objects if each["kind"] in wanted)]:
        kube.apply(each)
    for namespace, host in HOSTS.items():
        for each in route(namespace, host):
            kube.apply(each)
    (deployment,) = [each for each in objects if each["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    arguments = [moved(each, free) for each in container["args"]]
    log = directory / "log"
    environment = {"PATH": os.defpath, "HOME": str(directory), "KUBECONFIG": str(kubeconfig(lab, directory))}
    with log.open("w") as out:
        process = subprocess.Popen(
            [str(toolchain.binary("traefik")), *arguments], env=environment, stdout=out, stderr=out
        )
        try:
            yield Traefik(f"http://127.0.0.1:{free[0]}", log)
        finally:
            process.kill()
            process.wait()
            for name in (GATEWAY, MODELS, ELSEWHERE):
                kube.delete("v1", "Namespace", name)
            for name in (NAME, f"{NAME}-classes"):
                kube.delete(RBAC, "ClusterRole", name)
            kube.delete(RBAC, "ClusterRoleBinding", f"{NAME}-classes")


def ports(count: int) -> list[int]:
    """Find ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return found


def gateway(directory: Path, port: int) -> list[Object]:
    """Compile the gateway in namespaces of its own, its listener on a free port."""
    settings = {"name": "models", "namespace": GATEWAY, "host_suffix": "rights.example.com", "mirrors": "traefik"}
    environment = an_environment(namespace=MODELS, gateway=settings)
    objects = list(compile_gateway(GatewaySettings(service="ClusterIP"), context_of(environment, Checkout(directory))))
    for each in objects:
        if each["kind"] == "Gateway":
            each["spec"]["listeners"][0]["port"] = port
    return objects


def moved(argument: str, free: list[int]) -> str:
    """Let a flag name a free port of this machine."""
    for port, other in zip((PORTS["http"][1], PING, METRICS), free, strict=True):
        argument = argument.replace(f"=:{port}", f"=127.0.0.1:{other}")
    return argument


def route(namespace: str, host: str) -> list[Object]:
    """A route to a service that has no pod: known, it answers 503."""
    metadata = {"name": "churn", "namespace": namespace}
    spec = {
        "parentRefs": [{"name": "models", "namespace": GATEWAY}],
        "hostnames": [host],
        "rules": [{"backendRefs": [{"name": "churn", "port": 80}]}],
    }
    service = {"selector": {"app": "none"}, "ports": [{"port": 80}]}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata, "spec": spec},
    ]


def kubeconfig(lab: Any, directory: Path) -> Path:
    """Write a kubeconfig with a token of its service account."""
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    url = lab.kube.url_of("v1", "ServiceAccount", GATEWAY, NAME, "token")
    token = lab.kube.request("POST", url, body=request)["status"]["token"]
    config = yaml.safe_load(lab.kubeconfig.read_text())
    config["users"] = [{"name": each["name"], "user": {"token": token}} for each in config["users"]]
    path = directory / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def test_it_serves_routes_of_the_models_namespace_and_of_no_other_without_being_refused(traefik: Traefik) -> None:
    deadline, status = time.monotonic() + 30, 0
    while status != 503 and time.monotonic() < deadline:
        try:
            status = traefik.answers(HOSTS[MODELS])
        except requests.RequestException:
            status = 0
        time.sleep(0.1)
    log = traefik.log.read_text()
    assert (status, [line for line in log.splitlines() if "forbidden" in line]) == (503, []), log
    assert traefik.answers(HOSTS[ELSEWHERE]) == 404
