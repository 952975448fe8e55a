"""Command lines of the control plane's components.

All run in one network namespace, where default ports (8080-8082) would clash, hence the explicit addresses. etcd
listens on the namespace's own loopback, which no pod can reach from its own network.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import slipway
from slipway.lab import network, probes
from slipway.lab.paths import Paths
from slipway.lab.processes import Component
from slipway.platform import traefik as traefik_flags

ETCD = "http://127.0.0.1:2379"
ETCD_PEERS = "http://127.0.0.1:2380"
CONTROLLER_MANAGER_PORT = 10257
KSERVE_HEALTH, KSERVE_METRICS = "127.0.0.1:9081", "127.0.0.1:9082"
FLAGGER_PORT = 9083
TRAEFIK_PING, TRAEFIK_METRICS = "127.0.0.1:9084", "127.0.0.1:9085"
S3_HEALTH = "/health"
#: Region with which S3 clients sign; any will do, but both sides must use the same.
REGION = "us-east-1"

#: Rarer garbage collection saves 4 of the 9 seconds of processor time that applying all CRDs costs, up to the memory
#: limit.
API_SERVER_MEMORY = {"GOGC": "400", "GOMEMLIMIT": "800MiB"}

#: Controllers needed by a cluster of one node without volumes, addons or cloud (kube-controller-manager --help).
CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemonset-controller",
    "deployment-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "statefulset-controller",
    "ttl-after-finished-controller",
    "validatingadmissionpolicy-status-controller",
)


@dataclass(frozen=True)
class Layout:
    """Paths and credentials for the command lines.

    Args:
        binaries: Path by name, see toolchain.binary.
    """

    paths: Paths
    binaries: Mapping[str, str]
    access_key: str
    secret_key: str

    def environment(self, **more: str) -> dict[str, str]:
        """Return a component's environment, without variables of the user's shell, above all proxies."""
        scratch = self.paths.lab / "tmp"
        base = {"PATH": os.defpath, "HOME": str(scratch), "TMPDIR": str(scratch), "LANG": "C.UTF-8"}
        return {**base, **more}

    def controller(self, **more: str) -> dict[str, str]:
        """Return the environment of a controller, with KUBECONFIG."""
        return self.environment(KUBECONFIG=str(self.paths.inside_kubeconfig("controllers")), **more)


def etcd(layout: Layout) -> Component:
    """Return the component etcd; without fsync, since only a crash of the machine could lose data."""
    command = (
        layout.binaries["etcd"],
        f"--data-dir={layout.paths.etcd}",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        f"--listen-peer-urls={ETCD_PEERS}",
        f"--initial-advertise-peer-urls={ETCD_PEERS}",
        f"--initial-cluster=default={ETCD_PEERS}",
        "--unsafe-no-fsync",
        # One member elects itself: no need to wait for others.
        "--heartbeat-interval=20",
        "--election-timeout=100",
        "--log-level=warn",
        # Old revisions are not used in the lab.
        "--auto-compaction-retention=10m",
    )
    return Component("etcd", command, probes.answers(f"{ETCD}/readyz"), layout.environment())


def api_server(layout: Layout) -> Component:
    """Return the component of the API server."""
    pki = layout.paths.pki
    command = (
        layout.binaries["kube-apiserver"],
        f"--etcd-servers={ETCD}",
        f"--bind-address={network.ADDRESS}",
        f"--advertise-address={network.ADDRESS}",
        f"--secure-port={network.API_PORT}",
        f"--tls-cert-file={pki / 'server.crt'}",
        f"--tls-private-key-file={pki / 'server.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        "--anonymous-auth=false",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki / 'service-accounts.key'}",
        f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
        f"--service-cluster-ip-range={network.SERVICES}",
        # Webhooks that name a Service are called at its pods, without the proxy's hop.
        "--enable-aggregator-routing=true",
        # Its finalizers would need another controller; deleting a claim in use loses its data.
        "--disable-admission-plugins=StorageObjectInUseProtection",
        "--allow-privileged=true",
        "--profiling=false",
        "--v=0",
    )
    ready = probes.answers(f"{network.API}/readyz", pki)
    return Component("kube-apiserver", command, ready, layout.environment(**API_SERVER_MEMORY), stop_seconds=10)


def controller_manager(layout: Layout) -> Component:
    """Return the component of Kubernetes' own controllers."""
    pki, kubeconfig = layout.paths.pki, layout.paths.inside_kubeconfig("controllers")
    command = (
        layout.binaries["kube-controller-manager"],
        f"--kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={CONTROLLER_MANAGER_PORT}",
        f"--tls-cert-file={pki / 'server.crt'}",
        f"--tls-private-key-file={pki / 'server.key'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--service-account-private-key-file={pki / 'service-accounts.key'}",
        f"--controllers={','.join(CONTROLLERS)}",
        "--leader-elect=false",
        "--profiling=false",
    )
    ready = probes.answers(f"https://127.0.0.1:{CONTROLLER_MANAGER_PORT}/healthz", pki)
    return Component("kube-controller-manager", command, ready, layout.environment())


def kserve(layout: Layout) -> Component:
    """Return the component of KServe's manager with its webhooks."""
    command = (
        layout.binaries["kserve-manager"],
        f"--metrics-addr={KSERVE_METRICS}",
        f"--health-probe-addr={KSERVE_HEALTH}",
        f"--webhook-port={network.WEBHOOK_PORT}",
    )
    # controller-runtime reads the certificate from $TMPDIR/k8s-webhook-server/serving-certs, without a flag for it.
    environment = layout.controller(POD_NAMESPACE="kserve", TMPDIR=str(webhook_home(layout.paths)))
    return Component("kserve", command, probes.answers(f"http://{KSERVE_HEALTH}/readyz"), environment)


def webhook_home(paths: Paths) -> Path:
    """Return the TMPDIR in which controller-runtime finds the webhook certificate."""
    return paths.lab / "webhook"


def flagger(layout: Layout) -> Component:
    """Return the component Flagger."""
    command = (
        layout.binaries["flagger"],
        f"-port={FLAGGER_PORT}",
        "-mesh-provider=gatewayapi:v1",
        f"-metrics-server={network.PROMETHEUS}",
        "-include-label-prefix=slipway.dev/",
        "-log-level=info",
        f"-kubeconfig={layout.paths.inside_kubeconfig('controllers')}",
    )
    return Component(
        "flagger", command, probes.answers(f"http://127.0.0.1:{FLAGGER_PORT}/healthz"), layout.environment()
    )


def traefik(layout: Layout) -> Component:
    """Return the component Traefik, the gateway's data plane."""
    web = f"{network.ADDRESS}:{network.GATEWAY_PORT}"
    arguments = traefik_flags.arguments({"web": web}, ping=TRAEFIK_PING, metrics=TRAEFIK_METRICS, copies=True)
    command = (layout.binaries["traefik"], *arguments)
    return Component("gateway", command, probes.answers(f"http://{TRAEFIK_PING}/ping"), layout.controller())


def object_store(layout: Layout) -> Component:
    """Return the component versitygw, an S3 API over a plain directory."""
    # The name must not start with the store's own: versitygw would treat it as a place inside the store.
    metadata = ("--sidecar", str(layout.paths.lab / "attributes")) if not _has_attributes(layout.paths.s3) else ()
    command = (
        layout.binaries["versitygw"],
        "--quiet",
        f"--health={S3_HEALTH}",
        f"--port={network.ADDRESS}:{network.S3_PORT}",
        f"--region={REGION}",
        "posix",
        *metadata,
        str(layout.paths.s3),
    )
    # By environment, since all users of the machine can read command lines.
    environment = layout.environment(ROOT_ACCESS_KEY=layout.access_key, ROOT_SECRET_KEY=layout.secret_key)
    return Component("s3", command, probes.answers(f"{network.S3}{S3_HEALTH}"), environment)


def kubelet(layout: Layout) -> Component:
    """Return the component of the process kubelet."""
    kubeconfig = layout.paths.inside_kubeconfig("kubelet")
    command = (
        sys.executable,
        "-m",
        "slipway.lab.kubelet",
        f"--kubeconfig={kubeconfig}",
        f"--state={layout.paths.kubelet}",
        f"--images={layout.paths.lab / 'images.json'}",
    )
    environment = layout.environment(PYTHONPATH=str(Path(slipway.__file__).parents[1]))
    # Pods get their grace period, at most half of the default of 30 s, so that a stop stays within its limit.
    return Component("kubelet", command, probes.a_node_is_ready(kubeconfig), environment, stop_seconds=15)


def _has_attributes(directory: Path) -> bool:
    """Return whether the file system keeps extended attributes, versitygw's usual place for metadata."""
    try:
        os.setxattr(directory, "user.slipway", b"1")
        os.removexattr(directory, "user.slipway")
    except OSError:
        return False
    return True
