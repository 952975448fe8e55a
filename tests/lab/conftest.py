"""One lab for all tests of this folder that do not stop it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from running_lab import Lab, running_lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


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
