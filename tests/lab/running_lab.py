"""A lab in a temporary directory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from projects import CHECKOUT

from slipway.clients.kube import Kube
from slipway.lab import lifecycle, shell
from slipway.lab.paths import Paths
from slipway.lab.state import Facts


@dataclass(frozen=True)
class Lab:
    """A running lab, seen from the user's shell.

    Args:
        project: A temporary directory in the place of a checkout.
        facts: Ports, credentials.
        kube: The API server, as the user's kubeconfig has it.
        env: All variables of a shell after `source .slipway/env`.
    """

    project: Path
    facts: Facts
    kube: Kube
    env: dict[str, str]

    @property
    def paths(self) -> Paths:
        return Paths(self.project)

    @property
    def kubeconfig(self) -> Path:
        return self.paths.kubeconfig

    @property
    def gateway_url(self) -> str:
        return self.facts.url("gateway")

    @property
    def s3_url(self) -> str:
        return self.facts.url("s3")


@contextmanager
def running_lab(project: Path) -> Iterator[Lab]:
    """Run a lab of the demo's models in an empty directory."""
    # What observe takes for right or wrong stands there.
    shutil.copytree(CHECKOUT / "models", project / "models")
    facts, paths = lifecycle.up(project), Paths(project)
    kube = Kube.from_kubeconfig(paths.kubeconfig)
    try:
        yield Lab(project, facts, kube, shell.variables(paths, facts, os.environ))
    finally:
        kube.session.close()
        lifecycle.down(project)
