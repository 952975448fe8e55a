"""The command line of each component that measures."""

from __future__ import annotations

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
        # As long as a working day's rollouts; a lab holds some thousand series, about 30 MB an hour.
        "--storage.tsdb.retention.time=6h",
        "--storage.tsdb.retention.size=512MB",
        # A new server is asked after one second, not after five.
        "--scrape.discovery-reload-interval=1s",
        "--log.level=warn",
    )
    ready = probes.answers(f"{network.PROMETHEUS}/-/ready")
    return Component("prometheus", command, ready, layout.environment())
