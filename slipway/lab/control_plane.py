"""The command line of each component.

All run in one network namespace, where other tools' defaults (8080-8082) would clash, hence the explicit addresses.
etcd listens on the namespace's own loopback: no pod can reach it, each has a network of its own.
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
#: The S3 client libraries sign with a region; any will do, but both sides must say the same.
REGION = "us-east-1"

#: Collecting garbage less often saves 4 of the 9 seconds of processor time that applying all CRDs costs; the limit is
#: where it becomes thrifty again.
API_SERVER_MEMORY = {"GOGC": "400", "GOMEMLIMIT": "800MiB"}

#: The controllers that a cluster of one node without volumes, addons or cloud needs (kube-controller-manager --help).
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
    """What the command lines depend on.

    Args:
        paths: Of the project.
        binaries: Path by name, see toolchain.binary.
        access_key: Of the object store.
        secret_key: Of the object store.
    """

    paths: Paths
    binaries: Mapping[str, str]
    access_key: str
    secret_key: str

    def environment(self, **more: str) -> dict[str, str]:
        """Make a component's environment; nothing of the user's shell gets in, above all no proxy."""
        scratch = self.paths.lab / "tmp"
        base = {"PATH": os.defpath, "HOME": str(scratch), "TMPDIR": str(scratch), "LANG": "C.UTF-8"}
        return {**base, **more}

    def controller(self, **more: str) -> dict[str, str]:
        """Make the environment of a controller, which finds the cluster by KUBECONFIG."""
        return self.environment(KUBECONFIG=str(self.paths.inside_kubeconfig("controllers")), **more)


def etcd(layout: Layout) -> Component:
    """Keep the cluster's objects; without fsync, since only a crash of the machine could lose them."""
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
        # Old revisions are of no use to anyone here.
        "--auto-compaction-retention=10m",
    )
    return Component("etcd", command, probes.answers(f"{ETCD}/readyz"), layout.environment())


def api_server(layout: Layout) -> Component:
    """Serve the API."""
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
        # Its finalizers would need a controller more; who deletes a claim in use loses what it held.
        "--disable-admission-plugins=StorageObjectInUseProtection",
        "--allow-privileged=true",
        "--profiling=false",
        "--v=0",
    )
    ready = probes.answers(f"{network.API}/readyz", pki)
    return Component("kube-apiserver", command, ready, layout.environment(**API_SERVER_MEMORY), stop_seconds=10)


def controller_manager(layout: Layout) -> Component:
    """Run Kubernetes' own controllers."""
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
    """Run KServe's manager with its webhooks."""
    command = (
        layout.binaries["kserve-manager"],
        f"--metrics-addr={KSERVE_METRICS}",
        f"--health-probe-addr={KSERVE_HEALTH}",
        f"--webhook-port={network.WEBHOOK_PORT}",
    )
    # controller-runtime looks for the certificate in $TMPDIR/k8s-webhook-server/serving-certs, no flag changes that.
    environment = layout.controller(POD_NAMESPACE="kserve", TMPDIR=str(webhook_home(layout.paths)))
    return Component("kserve", command, probes.answers(f"http://{KSERVE_HEALTH}/readyz"), environment)


def webhook_home(paths: Paths) -> Path:
    """Say which TMPDIR makes controller-runtime find the webhook certificate."""
    return paths.lab / "webhook"


def flagger(layout: Layout) -> Component:
    """Run Flagger."""
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
    """Run the gateway's data plane."""
    web = f"{network.ADDRESS}:{network.GATEWAY_PORT}"
    arguments = traefik_flags.arguments({"web": web}, ping=TRAEFIK_PING, metrics=TRAEFIK_METRICS, copies=True)
    command = (layout.binaries["traefik"], *arguments)
    return Component("gateway", command, probes.answers(f"http://{TRAEFIK_PING}/ping"), layout.controller())


def object_store(layout: Layout) -> Component:
    """Run the S3 API over a plain directory."""
    # Not a name that starts with the store's own: versitygw would take that for a place inside the store.
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
    # By environment: a command line is readable by everyone on the machine.
    environment = layout.environment(ROOT_ACCESS_KEY=layout.access_key, ROOT_SECRET_KEY=layout.secret_key)
    return Component("s3", command, probes.answers(f"{network.S3}{S3_HEALTH}"), environment)


def kubelet(layout: Layout) -> Component:
    """Run the process kubelet."""
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
    # Pods are given their grace period, here at most the default of 30 s less what a stop may take in all.
    return Component("kubelet", command, probes.a_node_is_ready(kubeconfig), environment, stop_seconds=15)


def _has_attributes(directory: Path) -> bool:
    """Tell whether the file system keeps extended attributes, where versitygw likes to put an object's metadata."""
    try:
        os.setxattr(directory, "user.slipway", b"1")
        os.removexattr(directory, "user.slipway")
    except OSError:
        return False
    return True
