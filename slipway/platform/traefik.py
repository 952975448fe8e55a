"""Traefik's command line, the same in the lab as anywhere else."""

from __future__ import annotations

from collections.abc import Mapping

#: What Traefik calls itself (pkg/provider/kubernetes/gateway/kubernetes.go, controllerName).
CONTROLLER = "traefik.io/gateway-controller"


def arguments(
    entry_points: Mapping[str, str], *, ping: str, metrics: str, namespaces: tuple[str, ...] = (), copies: bool = False
) -> list[str]:
    """List the flags of a data plane for Gateway API.

    Args:
        entry_points: Address by name; a Gateway's listener is served by the one of its port.
        ping: Address for probes.
        metrics: Address for Prometheus.
        namespaces: What it watches; nothing is everything.
        copies: Whether its own kinds are served too: they copy requests, which its provider for Gateway API cannot
            (compile/traefik.py).
    """
    watched = ",".join(namespaces)
    flags = ["--providers.kubernetesgateway=true"]
    flags += [f"--providers.kubernetesgateway.namespaces={watched}"] if watched else []
    if copies:
        flags += ["--providers.kubernetescrd=true"]
        # Of a whole cluster's objects it would read nodes, which only services on node ports need.
        within = (
            f"--providers.kubernetescrd.namespaces={watched}",
            "--providers.kubernetescrd.disableclusterscoperesources",
        )
        flags += within if watched else []
    return [
        *flags,
        *(f"--entrypoints.{name}.address={address}" for name, address in entry_points.items()),
        f"--entrypoints.ping.address={ping}",
        "--ping=true",
        "--ping.entrypoint=ping",
        f"--entrypoints.metrics.address={metrics}",
        # Requests by service, which are the pair's; nobody asks for the sums by entry point.
        "--metrics.prometheus=true",
        "--metrics.prometheus.entrypoint=metrics",
        "--metrics.prometheus.addentrypointslabels=false",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.level=WARN",
    ]
