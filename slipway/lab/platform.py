"""What `slipway lab up --with` adds: parts of the platform, declared by the program itself as a stack of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from slipway.clients.kube import Kube
from slipway.engine.deploy import Deployment
from slipway.errors import SlipwayError
from slipway.lab import control_plane, network, shell, state
from slipway.lab.bootstrap import MANAGER
from slipway.lab.bucket import make_bucket
from slipway.lab.kubelet.platform_images import OWN_IMAGE
from slipway.lab.paths import Paths, private_directory, write_private
from slipway.lab.state import Facts
from slipway.objects import Object
from slipway.progress import step
from slipway.tools import toolchain

#: The stack; its cluster is the lab, as that of `local`, whose settings it takes.
STACK, BASE = "lab-platform", "local"
#: Of MLflow's models.
BUCKET = "mlflow"


@dataclass(frozen=True)
class Part:
    """One part of the platform, as the lab runs it.

    Args:
        settings: What the lab says differently; the rest are the component's own defaults.
        tools: What it needs besides what every lab has.
        seconds: What it took to be ready on two cores that others used too.
        secrets: What a store of secrets would bring into its namespace, which is called as it is.
        bucket: Of the object store, if it needs one.
        needs: Parts that bring the kinds of its objects.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[str, ...] = ()
    seconds: float = 30
    secrets: Callable[[Facts], Mapping[str, Mapping[str, str]]] = lambda _: {}
    bucket: str = ""
    needs: tuple[str, ...] = ()


def _mlflow_secrets(facts: Facts) -> dict[str, dict[str, str]]:
    """Let the lab's one secret do for all: it has one owner."""
    return {
        "mlflow-admin": {"username": "admin", "password": facts.secret_key, "flask_secret_key": facts.secret_key},
        "mlflow-s3": {"access_key": facts.access_key, "secret_key": facts.secret_key},
    }


#: By the name of the component's settings (slipway/settings/platform.py).
PARTS: Mapping[str, Part] = {
    "kyverno": Part(tools=("kyverno",)),
    # People commit in front of a lab, and nothing there sends Argo CD a webhook.
    "argocd": Part({"poll_seconds": 10}, tools=("argocd", "redis"), seconds=60),
    # PostgreSQL refuses to run as root, which every process of the lab is in its namespace.
    "mlflow": Part(
        {
            "database": "sqlite",
            "artifacts": f"s3://{BUCKET}/registry",
            "s3_endpoint": network.S3,
            "storage_gib": 1,
            "workers": 1,
        },
        tools=("mlflow",),
        secrets=_mlflow_secrets,
        bucket=BUCKET,
    ),
    "policies": Part(seconds=5, needs=("kyverno",)),
    # Without Grafana, which no registry of packages has; its rollouts look every ten seconds.
    "monitoring": Part(
        {"scrape_interval_seconds": 1, "storage_gib": None, "memory": "512Mi", "grafana": False},
        tools=("alertmanager", "kube-state-metrics"),
        seconds=20,
    ),
    "feature_store": Part({"storage_gib": 1}, tools=("feast",), seconds=20),
    # Beside the lab's own: nobody asks them, which are the ones of `monitoring` to measure.
    "services": Part({"image": OWN_IMAGE, "storage_gib": None}, tools=("kserve-agent",), seconds=20),
}


def wanted(names: Iterable[str]) -> list[str]:
    """Check the names of parts, add those that they need.

    Raises:
        SlipwayError: One is unknown.
    """
    chosen = [name.strip() for each in names for name in each.split(",") if name.strip()]
    for name in chosen:
        if name not in PARTS:
            raise SlipwayError(f"lab: --with {name}: no such part of the platform; there are {', '.join(PARTS)}")
    return list(dict.fromkeys(part for name in chosen for part in (*PARTS[name].needs, name)))


def ensure_tools(names: Iterable[str]) -> None:
    """Build what parts need, if it is not there."""
    if tools := {tool for name in names for tool in PARTS[name].tools}:
        toolchain.ensure(*sorted(tools))


def deploy(project: Path, names: Iterable[str]) -> None:
    """Declare parts in the running lab, besides those that were declared before; return when they are ready.

    Raises:
        SlipwayError: The program refuses, or something did not become ready.
    """
    paths, facts = Paths(project), state.load(Paths(project))
    assert facts is not None
    private_directory(paths.platform)
    for name in names:
        _bring(name, Kube.from_kubeconfig(paths.kubeconfig), facts)
    chosen = {*_declared(paths), *names}
    write_private(paths.platform / "Pulumi.yaml", _yaml(program(project)))
    write_private(_settings_file(paths), _yaml(settings(project, chosen)))
    with step(f"install {', '.join(sorted(chosen))}", sum(PARTS[name].seconds for name in chosen)):
        Deployment(paths.platform, STACK, shell.variables(paths, facts, os.environ)).up()


def _bring(name: str, kube: Kube, facts: Facts) -> None:
    """Make what a part finds in an environment without being its own."""
    part = PARTS[name]
    if secrets := part.secrets(facts):
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, field_manager=MANAGER)
    for secret, values in secrets.items():
        metadata = {"name": secret, "namespace": name}
        kube.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(values)},
            field_manager=MANAGER,
        )
    if part.bucket:
        keys = {"aws_access_key_id": facts.access_key, "aws_secret_access_key": facts.secret_key}
        make_bucket(part.bucket, endpoint_url=facts.url("s3"), region_name=control_plane.REGION, **keys)


def program(project: Path) -> Object:
    """Return the file of a project that runs this one's program: Pulumi keeps a stack's settings beside it.

    In the checkout they would be one environment more, which is nobody's.
    """
    own = _read(project / "Pulumi.yaml")
    return {**own, "main": str(project), "runtime": {"name": "python", "options": {"virtualenv": sys.prefix}}}


def settings(project: Path, names: Iterable[str]) -> Object:
    """Return the stack's file: the settings of `local`, with these parts instead of the models."""
    base = _read(project / f"Pulumi.{BASE}.yaml")
    chosen = {name: dict(PARTS[name].settings) for name in sorted(names)}
    return {**base, "config": {**base["config"], "slipway:layers": ["platform"], "slipway:platform": chosen}}


def _declared(paths: Paths) -> set[str]:
    file = _settings_file(paths)
    return set(_read(file)["config"]["slipway:platform"]) if file.exists() else set()


def _settings_file(paths: Paths) -> Path:
    return paths.platform / f"Pulumi.{STACK}.yaml"


def _read(file: Path) -> Object:
    try:
        found: Object = yaml.safe_load(file.read_text())
    except FileNotFoundError:
        raise SlipwayError(f"{file}: missing; `--with` runs the program of the project that the lab is of") from None
    return found


def _yaml(content: Object) -> str:
    return yaml.safe_dump(content, sort_keys=False)
