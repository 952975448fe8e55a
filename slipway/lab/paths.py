"""Where a lab keeps its files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The files of one project's lab; everything is under `<project>/.slipway`.

    Args:
        project: The directory of `Pulumi.yaml`.
    """

    project: Path

    @property
    def root(self) -> Path:
        """All that is local to this checkout."""
        return self.project / ".slipway"

    @property
    def env(self) -> Path:
        """Shell exports, for `source`."""
        return self.root / "env"

    @property
    def pulumi_backend(self) -> Path:
        """Pulumi's file backend."""
        return self.root / "pulumi"

    @property
    def pulumi_home(self) -> Path:
        """Pulumi's own settings, apart from the user's."""
        return self.root / "pulumi-home"

    @property
    def plugin(self) -> Path:
        """Launcher of the stand-in for Pulumi's Kubernetes plugin."""
        return self.root / "plugin"

    @property
    def mlflow_database(self) -> Path:
        """The registry."""
        return self.root / "mlflow.db"

    @property
    def lab(self) -> Path:
        """The state of the cluster."""
        return self.root / "lab"

    @property
    def facts(self) -> Path:
        """Ports, credentials, supervisor: what stays the same from one start to the next."""
        return self.lab / "lab.json"

    @property
    def components(self) -> Path:
        """What each component does at present; written by the running lab only."""
        return self.lab / "components.json"

    @property
    def lock(self) -> Path:
        """Held by the running lab."""
        return self.lab / "lock"

    @property
    def pki(self) -> Path:
        """Keys, certificates."""
        return self.lab / "pki"

    @property
    def kubeconfig(self) -> Path:
        """For the user's own shell."""
        return self.lab / "kubeconfig"

    def inside_kubeconfig(self, identity: str) -> Path:
        """For one identity inside the namespace."""
        return self.pki / f"{identity}.kubeconfig"

    @property
    def etcd(self) -> Path:
        """The cluster's objects."""
        return self.lab / "etcd"

    @property
    def s3(self) -> Path:
        """The object store's buckets."""
        return self.lab / "s3"

    @property
    def platform(self) -> Path:
        """The project of the stack that `--with` declares."""
        return self.lab / "platform"

    @property
    def prometheus(self) -> Path:
        """What Prometheus has measured."""
        return self.lab / "prometheus"

    @property
    def scrape_configuration(self) -> Path:
        """What Prometheus asks, and how often."""
        return self.lab / "prometheus.json"

    @property
    def ledger(self) -> Path:
        """What the judge has decided, what happened in rollouts."""
        return self.lab / "ledger.jsonl"

    @property
    def kubelet(self) -> Path:
        """The process kubelet's own files: pod logs, volumes."""
        return self.lab / "kubelet"

    @property
    def logs(self) -> Path:
        """One file per component."""
        return self.lab / "logs"

    def log(self, component: str) -> Path:
        """Log file of one component."""
        return self.logs / f"{component}.log"


def project_directory() -> Path:
    """Find the project: SLIPWAY_PROJECT, else the nearest directory upwards with a Pulumi.yaml, else here."""
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
    """Replace a file at once by one that only its owner can read."""
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.rename(path)
