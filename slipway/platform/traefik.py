"""Traefik's command line, shared by the lab and clusters."""

from __future__ import annotations

from collections.abc import Mapping

#: Traefik's controller name (pkg/provider/kubernetes/gateway/kubernetes.go, controllerName).
CONTROLLER = "traefik.io/gateway-controller"


def arguments(
    entry_points: Mapping[str, str], *, ping: str, metrics: str, namespaces: tuple[str, ...] = (), copies: bool = False
) -> list[str]:
    """Return the flags of a data plane for Gateway API.

    Args:
        entry_points: Address by name; a listener uses the entry point with its port.
        ping: Address for probes.
        metrics: Address for Prometheus.
        namespaces: Watched namespaces; none means all.
        copies: Whether Traefik's own kinds are served too, which copy requests (compile/traefik.py).
    """
    watched = ",".join(namespaces)
    flags = ["--providers.kubernetesgateway=true"]
    flags += [f"--providers.kubernetesgateway.namespaces={watched}"] if watched else []
    if copies:
        flags += ["--providers.kubernetescrd=true"]
        # Cluster-wide resources are nodes, which only services on node ports need.
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
        # Requests are counted by service; sums by entry point are not used.
        "--metrics.prometheus=true",
        "--metrics.prometheus.entrypoint=metrics",
        "--metrics.prometheus.addentrypointslabels=false",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.level=WARN",
    ]
