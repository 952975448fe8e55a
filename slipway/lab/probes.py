"""Readiness probes of the lab's components."""

from __future__ import annotations

import functools
import http.client
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from slipway.clients.kube import Kube

#: Seconds for one probe; an overloaded component is probed again.
TIMEOUT = 2.0


def answers(url: str, pki: Path | None = None) -> Callable[[], bool]:
    """Return a probe that expects any HTTP status below 400.

    Args:
        pki: Directory of the authority; its admin certificate authenticates https probes.
    """
    parts = urlsplit(url)

    def connection() -> http.client.HTTPConnection:
        if parts.scheme != "https" or pki is None:
            return http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        return http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT, context=context)

    def ask() -> bool:
        link = connection()
        try:
            link.request("GET", parts.path)
            return link.getresponse().status < 400
        finally:
            link.close()

    return ask


def a_node_is_ready(kubeconfig: Path) -> Callable[[], bool]:
    """Return a probe of the API server for a Node that its kubelet reports as ready."""
    # Made late: the kubeconfig is written after the components are described.
    connect = functools.cache(lambda: Kube.from_kubeconfig(kubeconfig, timeout=TIMEOUT))

    def ask() -> bool:
        conditions = [c for node in connect().list("v1", "Node") for c in node.get("status", {}).get("conditions", [])]
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    return ask
