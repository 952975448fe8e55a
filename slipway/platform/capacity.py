"""Compiler of the cluster autoscaler and the default storage class on AWS."""

from __future__ import annotations

from slipway.aws import names
from slipway.objects import Object
from slipway.platform.context import Context
from slipway.platform.workloads import RBAC, binding, deployment, manifest, service_account
from slipway.settings.operating import CapacitySettings

NAMESPACE, NAME = "kube-system", "cluster-autoscaler"
#: Port of its health check.
PORT = 8085

LOOK = ["get", "list", "watch"]
#: Objects from which it decides whether a pod fits on a new node (its chart: templates/clusterrole.yaml).
READS = {
    "": [
        *("configmaps", "namespaces", "persistentvolumeclaims", "persistentvolumes", "pods", "replicationcontrollers"),
        "services",
    ],
    "apps": ["daemonsets", "replicasets", "statefulsets"],
    "batch": ["cronjobs", "jobs"],
    "policy": ["poddisruptionbudgets"],
    "resource.k8s.io": ["deviceclasses", "resourceclaims", "resourceslices"],
    "storage.k8s.io": ["csidrivers", "csinodes", "csistoragecapacities", "storageclasses", "volumeattachments"],
}


def compile_capacity(settings: CapacitySettings, context: Context) -> tuple[Object, ...]:
    """Compile the autoscaler, its permissions and the default storage class.

    Raises:
        SlipwayError: The program does not create the cluster, so its node pools are unknown.
    """
    if context.environment.cluster.eks is None:
        raise context.error(
            "capacity", "expected slipway:cluster.eks, whose node pools it scales; set that, or remove capacity"
        )
    return (_volumes(), service_account(NAMESPACE, NAME), *_rights(), _autoscaler(settings, context))


def _volumes() -> Object:
    """Return the default storage class: encrypted volumes, created in the pod's zone, which they cannot leave."""
    return manifest(
        "storage.k8s.io/v1",
        "StorageClass",
        "gp3",
        annotations={"storageclass.kubernetes.io/is-default-class": "true"},
        provisioner="ebs.csi.aws.com",
        parameters={"type": "gp3", "encrypted": "true"},
        reclaimPolicy="Delete",
        volumeBindingMode="WaitForFirstConsumer",
        allowVolumeExpansion=True,
    )


def _rights() -> tuple[Object, ...]:
    def rule(group: str, resources: list[str], verbs: list[str], only: str | None = None) -> Object:
        named = {"resourceNames": [only]} if only else {}
        return {"apiGroups": [group], "resources": resources, "verbs": verbs, **named}

    everywhere = [
        *(rule(group, resources, LOOK) for group, resources in READS.items()),
        rule("", ["events"], ["create", "patch"]),
        # Drains a node, then removes it.
        rule("", ["nodes"], ["delete", *LOOK, "patch", "update"]),
        rule("", ["pods/eviction"], ["create"]),
        rule("", ["pods/status"], ["update"]),
    ]
    here = [
        rule("", ["configmaps"], ["create"]),
        rule("", ["configmaps"], ["delete", "get", "update"], f"{NAME}-status"),
        rule("coordination.k8s.io", ["leases"], ["create"]),
        rule("coordination.k8s.io", ["leases"], ["get", "update"], NAME),
    ]
    return (
        manifest(f"{RBAC}/v1", "ClusterRole", NAME, rules=everywhere),
        binding(NAME, NAME, NAMESPACE),
        manifest(f"{RBAC}/v1", "Role", NAME, NAMESPACE, rules=here),
        binding(NAME, NAME, NAMESPACE, kind="Role", namespace=NAMESPACE),
    )


def _autoscaler(settings: CapacitySettings, context: Context) -> Object:
    environment = context.environment
    cluster, eks = names.prefix(environment), names.eks(environment)
    tags = f"k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/{cluster}"
    command = [
        "./cluster-autoscaler",
        "--cloud-provider=aws",
        f"--namespace={NAMESPACE}",
        # EKS sets these tags on node groups; labels and taints of an empty pool are read from EKS.
        f"--node-group-auto-discovery=asg:tag={tags}",
        "--balance-similar-node-groups",
        "--expander=least-waste",
        f"--scale-down-unneeded-time={settings.unneeded_minutes}m",
        # Model servers have local files; by default their nodes would never be removed.
        "--skip-nodes-with-local-storage=false",
    ]
    container = {
        "image": settings.image,
        "command": command,
        "env": [{"name": "AWS_REGION", "value": eks.region}],
        "resources": {"requests": {"cpu": "100m", "memory": "600Mi"}, "limits": {"memory": "600Mi"}},
        "livenessProbe": {"httpGet": {"path": "/health-check", "port": PORT}},
    }
    return deployment(NAMESPACE, NAME, container, token=True)
