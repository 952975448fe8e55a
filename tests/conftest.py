"""Being here, it puts this directory on the path: tests import what they share, as `builders`."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from hypothesis import settings

# No time of ours says that code is wrong: the machine may be busy. Fifty examples a run are found by many runs.
settings.register_profile("slipway", deadline=None, max_examples=50)
settings.load_profile("slipway")

#: Seconds between two signs of life: some tests wait for real controllers, for more than a minute.
HEARTBEAT = 20.0


class Heartbeat:
    """Says now and then which tests still run, in whatever process they do."""

    def __init__(self, reporter: Any) -> None:
        self.reporter, self.running = reporter, dict[str, float]()
        threading.Thread(target=self._beat, daemon=True).start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.running[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.running.pop(nodeid, None)

    def _beat(self) -> None:
        while True:
            time.sleep(HEARTBEAT)
            for nodeid, since in list(self.running.items()):
                taken = time.monotonic() - since
                if taken > HEARTBEAT:
                    self.reporter.write_line(f"  … {nodeid.rpartition('::')[2]}: {taken:.0f} s so far")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    reporter = config.pluginmanager.getplugin("terminalreporter")
    # Workers have none; the process that started them hears of their tests.
    if reporter and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Heartbeat(reporter))
