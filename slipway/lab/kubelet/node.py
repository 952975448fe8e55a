"""Node object of the lab's one node."""

from __future__ import annotations

import contextlib
import os
import platform
import uuid
from pathlib import Path

from slipway.clients.kube import Kube, KubeError
from slipway.lab.kubelet.api import now
from slipway.lab.network import ADDRESS
from slipway.objects import Object

NODE = "slipway-lab"
#: As a kubelet's defaults: the lease is renewed every 10 s and valid for 40 s.
HEARTBEAT, LEASE_SECONDS = 10.0, 40
#: Limit of pods on one bridge and one machine.
MAX_PODS = 500


def node(version: str) -> Object:
    """Return the Node object."""
    labels = {
        "kubernetes.io/hostname": NODE,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": _architecture(),
        "slipway.dev/process-kubelet": "true",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "labels": labels},
        "status": _status(version),
    }


def _status(version: str) -> Object:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024
    amounts = {"cpu": str(os.cpu_count() or 1), "memory": f"{memory}Ki", "pods": str(MAX_PODS)}
    healthy = {
        "Ready": ("True", "KubeletReady", "the process kubelet runs pods as local processes"),
        "MemoryPressure": _memory(short=False),
        "DiskPressure": ("False", "KubeletHasNoDiskPressure", "not measured by the process kubelet"),
        "PIDPressure": ("False", "KubeletHasSufficientPID", "not measured by the process kubelet"),
    }
    time = now()
    return {
        "capacity": amounts,
        "allocatable": amounts,
        "addresses": [{"type": "InternalIP", "address": ADDRESS}, {"type": "Hostname", "address": NODE}],
        "conditions": [
            {"type": kind, "status": status, "reason": reason, "message": message, "lastHeartbeatTime": time,
             "lastTransitionTime": time}
            for kind, (status, reason, message) in healthy.items()
        ],
        "nodeInfo": {
            "architecture": _architecture(),
            "bootID": _read("/proc/sys/kernel/random/boot_id"),
            "containerRuntimeVersion": "process://1",
            "kernelVersion": platform.release(),
            "kubeProxyVersion": "",
            "kubeletVersion": f"{version}-slipway",
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": "the lab's own machine",
            "systemUUID": str(uuid.getnode()),
        },
    }  # fmt: skip


def register(kube: Kube) -> None:
    """Create or update the node."""
    version = kube.request("GET", "/version")["gitVersion"]
    wanted = node(version)
    with contextlib.suppress(KubeError):
        kube.create(wanted, field_manager="slipway-kubelet")
    # The taint "not-ready" that the API server gives to every new node is for a node controller to remove; no such
    # controller runs in the lab.
    kube.patch(
        "v1", "Node", NODE, None, {"metadata": {"labels": wanted["metadata"]["labels"]}, "spec": {"taints": None}}
    )
    kube.patch("v1", "Node", NODE, None, {"status": wanted["status"]}, subresource="status")


def report_memory(kube: Kube, *, short: bool) -> None:
    """Write the node's condition MemoryPressure; its other conditions stay."""
    status, reason, message = _memory(short)
    changed = {"status": status, "reason": reason, "message": message, "lastTransitionTime": now()}
    conditions = [
        {**item, **changed} if item["type"] == "MemoryPressure" else item
        for item in kube.get("v1", "Node", NODE)["status"]["conditions"]
    ]
    kube.patch("v1", "Node", NODE, None, {"status": {"conditions": conditions}}, subresource="status")


def _memory(short: bool) -> tuple[str, str, str]:
    if short:
        return "True", "KubeletHasInsufficientMemory", "pods are evicted, no pod is taken in"
    return "False", "KubeletHasSufficientMemory", "the machine has memory available"


def heartbeat(kube: Kube) -> None:
    """Renew the node's lease."""
    kube.apply(
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": NODE, "namespace": "kube-node-lease"},
            "spec": {
                "holderIdentity": NODE,
                "leaseDurationSeconds": LEASE_SECONDS,
                "renewTime": now().replace("Z", ".000000Z"),
            },
        },
        field_manager="slipway-kubelet",
        force=True,
    )


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
