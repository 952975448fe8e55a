"""Parts of the platform in the lab (`slipway lab up --with`), declared by the program itself as a separate stack."""

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

#: The stack of the parts, and the stack `local` whose settings and cluster it shares.
STACK, BASE = "lab-platform", "local"
#: Bucket of MLflow's models.
BUCKET = "mlflow"


@dataclass(frozen=True)
class Part:
    """Part of the platform, as the lab runs it.

    Args:
        settings: The lab's settings; the rest are the component's own defaults.
        tools: Tools that it needs besides those of every lab.
        seconds: Its time to be ready on two cores under other load.
        secrets: Secrets that a store would bring into its namespace, which has the part's name.
        bucket: Its bucket of the object store, if it needs one.
        needs: Parts that bring the kinds of its objects.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[str, ...] = ()
    seconds: float = 30
    secrets: Callable[[Facts], Mapping[str, Mapping[str, str]]] = lambda _: {}
    bucket: str = ""
    needs: tuple[str, ...] = ()


def _mlflow_secrets(facts: Facts) -> dict[str, dict[str, str]]:
    """Return MLflow's secrets, all from the lab's one secret, since the lab has one owner."""
    return {
        "mlflow-admin": {"username": "admin", "password": facts.secret_key, "flask_secret_key": facts.secret_key},
        "mlflow-s3": {"access_key": facts.access_key, "secret_key": facts.secret_key},
    }


#: Parts by the name of the component's settings (slipway/settings/platform.py).
PARTS: Mapping[str, Part] = {
    "kyverno": Part(tools=("kyverno",)),
    # A lab's user waits for a commit to be seen, and no webhook reaches Argo CD.
    "argocd": Part({"poll_seconds": 10}, tools=("argocd", "redis"), seconds=60),
    # PostgreSQL refuses to run as root, which all processes of the lab are in their namespace.
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
    # Without Grafana, which no package registry has; the lab's rollouts take steps of ten seconds.
    "monitoring": Part(
        {"scrape_interval_seconds": 1, "storage_gib": None, "memory": "512Mi", "grafana": False},
        tools=("alertmanager", "kube-state-metrics"),
        seconds=20,
    ),
    "feature_store": Part({"storage_gib": 1}, tools=("feast",), seconds=20),
    # Beside the lab's own judge and observe, without callers: for `monitoring` to scrape.
    "services": Part({"image": OWN_IMAGE, "storage_gib": None}, tools=("kserve-agent",), seconds=20),
}


def wanted(names: Iterable[str]) -> list[str]:
    """Return the named parts and the parts that they need.

    Raises:
        SlipwayError: A name is unknown.
    """
    chosen = [name.strip() for each in names for name in each.split(",") if name.strip()]
    for name in chosen:
        if name not in PARTS:
            raise SlipwayError(f"lab: --with {name}: no such part of the platform; expected one of {', '.join(PARTS)}")
    return list(dict.fromkeys(part for name in chosen for part in (*PARTS[name].needs, name)))


def ensure_tools(names: Iterable[str]) -> None:
    """Build the missing tools of parts."""
    if tools := {tool for name in names for tool in PARTS[name].tools}:
        toolchain.ensure(*sorted(tools))


def deploy(project: Path, names: Iterable[str]) -> None:
    """Declare parts in the running lab, besides those declared before; return when they are ready.

    Raises:
        SlipwayError: The program refuses, or an object did not become ready.
    """
    paths = Paths(project)
    facts = state.load(paths)
    assert facts is not None
    private_directory(paths.platform)
    for name in names:
        _bring(name, Kube.from_kubeconfig(paths.kubeconfig), facts)
    file = paths.platform / f"Pulumi.{STACK}.yaml"
    chosen = {*(_read(file)["config"]["slipway:platform"] if file.exists() else ()), *names}
    for written, content in ((paths.platform / "Pulumi.yaml", program(project)), (file, settings(project, chosen))):
        write_private(written, yaml.safe_dump(content, sort_keys=False))
    with step(f"install {', '.join(sorted(chosen))}", sum(PARTS[name].seconds for name in chosen)):
        Deployment(paths.platform, STACK, shell.variables(paths, facts, os.environ)).up()


def _bring(name: str, kube: Kube, facts: Facts) -> None:
    """Make the objects that a part expects in its environment."""
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
    """Return the Pulumi.yaml of a project that runs this one's program.

    Pulumi keeps a stack's settings beside it; in the checkout they would be another environment.
    """
    own = _read(project / "Pulumi.yaml")
    return {**own, "main": str(project), "runtime": {"name": "python", "options": {"virtualenv": sys.prefix}}}


def settings(project: Path, names: Iterable[str]) -> Object:
    """Return the stack's file: the settings of `local`, with these parts instead of the models."""
    base = _read(project / f"Pulumi.{BASE}.yaml")
    chosen = {name: dict(PARTS[name].settings) for name in sorted(names)}
    return {**base, "config": {**base["config"], "slipway:layers": ["platform"], "slipway:platform": chosen}}


def _read(file: Path) -> Object:
    try:
        found: Object = yaml.safe_load(file.read_text())
    except FileNotFoundError:
        raise SlipwayError(f"{file}: missing; `--with` runs the program of the lab's own project") from None
    return found
