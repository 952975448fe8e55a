"""Scrape configuration of the lab's Prometheus: that of a cluster, at the lab's addresses."""

from __future__ import annotations

from pathlib import Path

from slipway.lab import network
from slipway.lab.control_plane import FLAGGER_PORT, TRAEFIK_METRICS
from slipway.objects import Object
from slipway.platform import scraping

#: Seconds between two scrapes. Rollouts in the lab take steps of ten seconds.
INTERVAL = 1


def configuration(kubeconfig: Path) -> Object:
    """Return Prometheus' configuration.

    Args:
        kubeconfig: The file with which Prometheus discovers pods and Services.
    """
    jobs = {
        "flagger": f"127.0.0.1:{FLAGGER_PORT}",
        "gateway": TRAEFIK_METRICS,
        "judge": f"{network.ADDRESS}:{network.JUDGE_PORT}",
        "observe": f"{network.ADDRESS}:{network.OBSERVE_PORT}",
    }
    access = {"kubeconfig_file": str(kubeconfig)}
    return scraping.configuration(INTERVAL, access, {job: scraping.at(address) for job, address in jobs.items()})
