"""Command lines of the monitoring components."""

from __future__ import annotations

import sys
from pathlib import Path

import slipway
from slipway.lab import network, probes
from slipway.lab.control_plane import Layout
from slipway.lab.processes import Component


def prometheus(layout: Layout) -> Component:
    """Return the component Prometheus; after a kill it starts again from its write-ahead log."""
    command = (
        layout.binaries["prometheus"],
        f"--config.file={layout.paths.scrape_configuration}",
        f"--web.listen-address={network.ADDRESS}:{network.PROMETHEUS_PORT}",
        f"--storage.tsdb.path={layout.paths.prometheus}",
        # As long as a working day's rollouts; a lab has about a thousand series.
        "--storage.tsdb.retention.time=6h",
        "--storage.tsdb.retention.size=512MB",
        # Samples younger than a block are read again one by one at each start, and the lab's start waits for it.
        "--storage.tsdb.min-block-duration=30m",
        # Changes in Kubernetes are passed on every five seconds (discovery/manager.go), then wait up to five more by
        # default. With this flag a new server is scraped within six.
        "--scrape.discovery-reload-interval=1s",
        "--log.level=warn",
    )
    ready = probes.answers(f"{network.PROMETHEUS}/-/ready")
    return Component("prometheus", command, ready, layout.environment())


def judge(layout: Layout) -> Component:
    """Return the component of the judge, which answers Flagger; its ledger outlives the process."""
    arguments = (
        f"--kubeconfig={layout.paths.inside_kubeconfig('controllers')}",
        f"--prometheus={network.PROMETHEUS}",
        f"--ledger={layout.paths.ledger}",
    )
    return _own(layout, "judge", network.JUDGE, arguments)


def observe(layout: Layout) -> Component:
    """Return the component observe, which joins predictions with the labels that come later."""
    return _own(layout, "observe", network.OBSERVE, (f"--models={layout.paths.project / 'models'}",))


def _own(layout: Layout, name: str, url: str, arguments: tuple[str, ...]) -> Component:
    """Return the component of a service of this project, run by the lab's own Python."""
    command = (sys.executable, "-m", f"slipway.{name}", f"--listen={url.removeprefix('http://')}", *arguments)
    environment = layout.environment(
        PYTHONPATH=str(Path(slipway.__file__).parents[1]),
        # A pool of threads for linear algebra would be wasted memory.
        OPENBLAS_NUM_THREADS="1",
    )
    return Component(name, command, probes.answers(f"{url}/healthz"), environment)
