"""Paths of a lab's files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """Paths of one project's lab; everything is under `<project>/.slipway`.

    Args:
        project: The directory of `Pulumi.yaml`.
    """

    project: Path

    @property
    def root(self) -> Path:
        """Directory of everything local to this checkout."""
        return self.project / ".slipway"

    @property
    def env(self) -> Path:
        """File of shell exports, for `source`."""
        return self.root / "env"

    @property
    def pulumi_backend(self) -> Path:
        """Directory of Pulumi's file backend."""
        return self.root / "pulumi"

    @property
    def pulumi_home(self) -> Path:
        """Directory of Pulumi's own settings, apart from the user's."""
        return self.root / "pulumi-home"

    @property
    def plugin(self) -> Path:
        """Directory of the launcher of the stand-in for Pulumi's Kubernetes plugin."""
        return self.root / "plugin"

    @property
    def mlflow_database(self) -> Path:
        """SQLite file of the registry."""
        return self.root / "mlflow.db"

    @property
    def lab(self) -> Path:
        """Directory of the cluster's state."""
        return self.root / "lab"

    @property
    def facts(self) -> Path:
        """File of the ports, credentials and supervisor, kept from one start to the next."""
        return self.lab / "lab.json"

    @property
    def components(self) -> Path:
        """File of each component's present state; written by the running lab only."""
        return self.lab / "components.json"

    @property
    def lock(self) -> Path:
        """Lock file of the running lab."""
        return self.lab / "lock"

    @property
    def pki(self) -> Path:
        """Directory of keys and certificates."""
        return self.lab / "pki"

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig for the user's own shell."""
        return self.lab / "kubeconfig"

    def inside_kubeconfig(self, identity: str) -> Path:
        """Kubeconfig of one identity inside the namespace."""
        return self.pki / f"{identity}.kubeconfig"

    @property
    def etcd(self) -> Path:
        """Directory of the cluster's objects."""
        return self.lab / "etcd"

    @property
    def s3(self) -> Path:
        """Directory of the object store's buckets."""
        return self.lab / "s3"

    @property
    def platform(self) -> Path:
        """Directory of the project whose stack `--with` declares."""
        return self.lab / "platform"

    @property
    def prometheus(self) -> Path:
        """Directory of Prometheus' measurements."""
        return self.lab / "prometheus"

    @property
    def scrape_configuration(self) -> Path:
        """File of Prometheus' scrape configuration."""
        return self.lab / "prometheus.json"

    @property
    def ledger(self) -> Path:
        """File of the judge's decisions and the rollouts' events."""
        return self.lab / "ledger.jsonl"

    @property
    def kubelet(self) -> Path:
        """Directory of the process kubelet: pod logs and volumes."""
        return self.lab / "kubelet"

    @property
    def logs(self) -> Path:
        """Directory with one log file per component."""
        return self.lab / "logs"

    def log(self, component: str) -> Path:
        """Log file of one component."""
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
