"""Hardened Deployments and other objects of systems without a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slipway.objects import Object

#: Kubernetes' Pod Security Standard `restricted`.
CONFINED: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
RBAC = "rbac.authorization.k8s.io"
#: A user that no image defines.
USER = 65532


def deployment(
    namespace: str,
    name: str,
    container: Mapping[str, Any],
    *,
    replicas: int = 1,
    init: Sequence[Mapping[str, Any]] = (),
    volumes: Mapping[str, Mapping[str, Any]] | None = None,
    token: bool = False,
    replaced: bool = False,
) -> Object:
    """Declare a Deployment of one container, with a service account of the same name.

    Args:
        name: Name of the Deployment, service account and container.
        container: Fields besides name and security context.
        replicas: More than one are spread over nodes.
        init: Init containers, hardened like the container.
        volumes: By name; `/tmp` is always added, the only writable directory of the image.
        token: Whether the pod uses the API server.
        replaced: Whether the old pod must end before the new one starts, because a volume admits one writer.
    """
    labels = {"app.kubernetes.io/name": name}
    mounts = [*container.get("volumeMounts", ()), {"name": "tmp", "mountPath": "/tmp"}]
    pod: Object = {
        "serviceAccountName": name,
        "automountServiceAccountToken": token,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{**container, "name": name, "securityContext": dict(CONFINED), "volumeMounts": mounts}],
        "volumes": [{"name": key, **source} for key, source in {**(volumes or {}), "tmp": {"emptyDir": {}}}.items()],
    }
    if init:
        pod["initContainers"] = [{**each, "securityContext": dict(CONFINED)} for each in init]
    if replicas > 1:
        pod["topologySpreadConstraints"] = spread(labels)
    spec: Object = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    if replaced:
        spec["strategy"] = {"type": "Recreate"}
    return manifest("apps/v1", "Deployment", name, namespace, spec=spec)


def spread(labels: Mapping[str, str]) -> list[Object]:
    """Return the constraint that spreads pods with these labels over nodes."""
    selector = {"labelSelector": {"matchLabels": labels}}
    where = {"topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    return [{"maxSkew": 1, **where, **selector}]


def budget(namespace: str, name: str, replicas: int, labels: Mapping[str, str] | None = None) -> list[Object]:
    """Keep one pod of a Deployment through a drain; a single replica has no budget, which would block every drain."""
    if replicas == 1:
        return []
    spec = {"minAvailable": 1, "selector": {"matchLabels": labels or {"app.kubernetes.io/name": name}}}
    return [manifest("policy/v1", "PodDisruptionBudget", name, namespace, spec=spec)]


def binding(
    role: str, account: str, where: str, *, kind: str = "ClusterRole", name: str = "", namespace: str | None = None
) -> Object:
    """Bind a role to a service account.

    Args:
        account: The service account.
        where: Its namespace.
        kind: Kind of the role.
        name: Name of the binding; empty takes the role's.
        namespace: Namespace of the binding; None is cluster-wide.
    """
    return manifest(
        f"{RBAC}/v1",
        "RoleBinding" if namespace else "ClusterRoleBinding",
        name or role,
        namespace,
        roleRef={"apiGroup": RBAC, "kind": kind, "name": role},
        subjects=[{"kind": "ServiceAccount", "name": account, "namespace": where}],
    )


def service(namespace: str, name: str, port: int, called: str = "http", target: int | str | None = None) -> Object:
    """Declare the Service of a Deployment of the same name; `called` names the port, `target` is the container's."""
    ports = [{"name": called, "port": port, "targetPort": target or port, "protocol": "TCP"}]
    spec = {"selector": {"app.kubernetes.io/name": name}, "ports": ports}
    return manifest("v1", "Service", name, namespace, spec=spec)


def service_account(namespace: str, name: str) -> Object:
    """Declare a service account."""
    return manifest("v1", "ServiceAccount", name, namespace, automountServiceAccountToken=False)


def manifest(
    api_version: str,
    kind: str,
    name: str,
    namespace: str | None = None,
    *,
    annotations: Mapping[str, str] | None = None,
    **content: Any,
) -> Object:
    """Declare an object of any kind; cluster-wide kinds have no namespace."""
    optional = {"namespace": namespace, "annotations": dict(annotations or {})}
    metadata = {"name": name, **{key: value for key, value in optional.items() if value}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def secret_variable(name: str, secret: str, key: str) -> Object:
    """Return an environment variable from a Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
