"""The command line of each component that measures."""

from __future__ import annotations

import sys
from pathlib import Path

import slipway
from slipway.lab import network, probes
from slipway.lab.control_plane import Layout
from slipway.lab.processes import Component


def prometheus(layout: Layout) -> Component:
    """Measure what is served.

    What it has measured outlives it: killed, it starts again from its write-ahead log.
    """
    command = (
        layout.binaries["prometheus"],
        f"--config.file={layout.paths.scrape_configuration}",
        f"--web.listen-address={network.ADDRESS}:{network.PROMETHEUS_PORT}",
        f"--storage.tsdb.path={layout.paths.prometheus}",
        # As long as a working day's rollouts; a lab has about a thousand series.
        "--storage.tsdb.retention.time=6h",
        "--storage.tsdb.retention.size=512MB",
        # What is younger than a block is read again, sample by sample, at each start, and the lab's start waits for it.
        "--storage.tsdb.min-block-duration=30m",
        # News of Kubernetes are passed on every five seconds (discovery/manager.go), then wait for up to five more by
        # default. So a new server is asked within six.
        "--scrape.discovery-reload-interval=1s",
        "--log.level=warn",
    )
    ready = probes.answers(f"{network.PROMETHEUS}/-/ready")
    return Component("prometheus", command, ready, layout.environment())


def judge(layout: Layout) -> Component:
    """Answer Flagger; what it has decided is noted in a file that outlives it."""
    arguments = (
        f"--kubeconfig={layout.paths.inside_kubeconfig('controllers')}",
        f"--prometheus={network.PROMETHEUS}",
        f"--ledger={layout.paths.ledger}",
    )
    return _own(layout, "judge", network.JUDGE, arguments)


def observe(layout: Layout) -> Component:
    """Join predictions with the labels that come later."""
    return _own(layout, "observe", network.OBSERVE, (f"--models={layout.paths.project / 'models'}",))


def _own(layout: Layout, name: str, url: str, arguments: tuple[str, ...]) -> Component:
    """Run a service of this project with the Python that runs the lab."""
    command = (sys.executable, "-m", f"slipway.{name}", f"--listen={url.removeprefix('http://')}", *arguments)
    environment = layout.environment(
        PYTHONPATH=str(Path(slipway.__file__).parents[1]),
        # A pool of threads for linear algebra is memory that nobody uses.
        OPENBLAS_NUM_THREADS="1",
    )
    return Component(name, command, probes.answers(f"{url}/healthz"), environment)
