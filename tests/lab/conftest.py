"""One lab for all tests of this folder that do not stop it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from slipway.kube import Kube
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


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    project = tmp_path_factory.mktemp("lab")
    facts = lifecycle.up(project)
    paths = Paths(project)
    kube = Kube.from_kubeconfig(paths.kubeconfig)
    try:
        yield Lab(project, facts, kube, shell.variables(paths, facts, os.environ))
    finally:
        kube.session.close()
        lifecycle.down(project)


#: Seconds between two signs of life of a test that takes long.
HEARTBEAT = 20.0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Say now and then that a test still runs: some wait for real controllers, for more than a minute."""
    reporter, done = item.config.pluginmanager.getplugin("terminalreporter"), threading.Event()

    def beat() -> None:
        started = time.monotonic()
        while not done.wait(HEARTBEAT):
            reporter.write_line(f"  … {item.name}: {time.monotonic() - started:.0f} s so far")

    threading.Thread(target=beat, daemon=True).start()
    try:
        return (yield)
    finally:
        done.set()
