"""Paths of a lab's files."""

from __future__ import annotations

import os
from pathlib import Path


class Paths:
    """Paths of one project's lab; everything is under `<project>/.slipway`.

    Args:
        project: The directory of `Pulumi.yaml`.
    """

    def __init__(self, project: Path) -> None:
        self.project = project
        #: Directory of everything local to this checkout.
        self.root = project / ".slipway"
        #: File of shell exports, for `source`.
        self.env = self.root / "env"
        #: Directory of Pulumi's file backend.
        self.pulumi_backend = self.root / "pulumi"
        #: Directory of Pulumi's own settings, apart from the user's.
        self.pulumi_home = self.root / "pulumi-home"
        #: Directory of the launcher of the stand-in for Pulumi's Kubernetes plugin.
        self.plugin = self.root / "plugin"
        #: SQLite file of the registry.
        self.mlflow_database = self.root / "mlflow.db"
        #: Directory of the cluster's state.
        self.lab = self.root / "lab"
        #: File of the ports, credentials and supervisor, kept from one start to the next.
        self.facts = self.lab / "lab.json"
        #: File of each component's present state; written by the running lab only.
        self.components = self.lab / "components.json"
        #: Lock file of the running lab.
        self.lock = self.lab / "lock"
        #: Directory of keys and certificates.
        self.pki = self.lab / "pki"
        #: Kubeconfig for the user's own shell.
        self.kubeconfig = self.lab / "kubeconfig"
        #: Directory of the cluster's objects.
        self.etcd = self.lab / "etcd"
        #: Directory of the object store's buckets.
        self.s3 = self.lab / "s3"
        #: Directory of the project whose stack `--with` declares.
        self.platform = self.lab / "platform"
        #: Directory of Prometheus' measurements.
        self.prometheus = self.lab / "prometheus"
        #: File of Prometheus' scrape configuration.
        self.scrape_configuration = self.lab / "prometheus.json"
        #: File of the judge's decisions and the rollouts' events.
        self.ledger = self.lab / "ledger.jsonl"
        #: Directory of the process kubelet: pod logs and volumes.
        self.kubelet = self.lab / "kubelet"
        #: Directory with one log file per component.
        self.logs = self.lab / "logs"

    def inside_kubeconfig(self, identity: str) -> Path:
        """Return the kubeconfig of one identity inside the namespace."""
        return self.pki / f"{identity}.kubeconfig"

    def log(self, component: str) -> Path:
        """Return the log file of one component."""
        return self.logs / f"{component}.log"


def project_directory() -> Path:
    """Return the project: SLIPWAY_PROJECT, else the nearest parent with a Pulumi.yaml, else the current directory."""
    if chosen := os.environ.get("SLIPWAY_PROJECT"):
        return Path(chosen).resolve()
    here = Path.cwd()
    return next((place for place in (here, *here.parents) if (place / "Pulumi.yaml").exists()), here)


def private_directory(path: Path) -> Path:
    """Make a directory that only its owner can enter."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path: Path, content: str | bytes) -> None:
    """Replace a file atomically by one that only its owner can read."""
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.rename(path)
