"""Systems of a single container, with its configuration, volume and Service."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway.objects import Object
from slipway.platform.workloads import RBAC, binding, deployment, manifest, service, service_account

#: A volume stays pending until its first pod, so waiting for it would never end.
_SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}


@dataclass(frozen=True, kw_only=True)
class System:
    """One long-running container behind a Service of the same name.

    Args:
        port_name: Name of the container's port, by which Prometheus finds it.
        probe: Path that answers 2xx when the system is ready.
        cpu: Request; there is no limit.
        memory: Request and limit.
        may: Rules of its ClusterRole; without rules it has no credentials.
        files: ConfigMaps by mount path; a change restarts the pod.
        secrets: Secrets by mount path.
        given: Optional ConfigMaps of other owners by mount path; a change restarts nothing.
        first: Command of an init container with the same image and files.
        data: Mount path of persistent data; None has none.
        storage_gib: Size of the volume for `data`; None loses the data with the pod.
        replicas: More than one requires that `data` is None.
        scratch: Writable directories besides /tmp; the rest of the file system is read-only.
    """

    name: str
    namespace: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    port: int
    port_name: str = "http"
    probe: str
    cpu: str
    memory: str
    may: tuple[Object, ...] = ()
    env: tuple[Object, ...] = ()
    files: Mapping[str, Object] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    data: str | None = None
    storage_gib: int | None = None
    replicas: int = 1
    scratch: tuple[str, ...] = ()

    def objects(self) -> tuple[Object, ...]:
        """Return all objects of the system."""
        return (
            service_account(self.namespace, self.name),
            *(_permissions(self.name, self.namespace, self.may) if self.may else ()),
            *self.files.values(),
            *([claim(self.namespace, self.name, self.storage_gib)] if self.data and self.storage_gib else []),
            self._deployment(),
            service(self.namespace, self.name, self.port, self.port_name, self.port_name),
        )

    def _deployment(self) -> Object:
        made = deployment(
            self.namespace,
            self.name,
            self._container(),
            init=[self._first()] if self.first else (),
            volumes={name: source for name, _, source in self._mounts()},
            token=bool(self.may),
            replicas=self.replicas,
            # Two pods of a single-replica system would share a volume, or each have half the data.
            replaced=self.replicas == 1,
        )
        made["spec"]["template"]["metadata"]["annotations"] = {"slipway.dev/files": revision(self.files)}
        return made

    def _container(self) -> Object:
        probe = {"httpGet": {"path": self.probe, "port": self.port_name}}
        optional = {"command": list(self.command), "args": list(self.args), "env": list(self.env)}
        return {
            "image": self.image,
            **{key: value for key, value in optional.items() if value},
            "ports": [{"name": self.port_name, "containerPort": self.port, "protocol": "TCP"}],
            "readinessProbe": probe,
            "livenessProbe": {**probe, "initialDelaySeconds": 30, "failureThreshold": 6},
            "resources": {"requests": {"cpu": self.cpu, "memory": self.memory}, "limits": {"memory": self.memory}},
            "volumeMounts": [{"name": name, "mountPath": path} for name, path, _ in self._mounts()],
        }

    def _first(self) -> Object:
        of = self._container()
        kept: Object = {key: of[key] for key in ("image", "env", "resources") if key in of}
        mounts = [*of["volumeMounts"], {"name": "tmp", "mountPath": "/tmp"}]
        return {"name": "first", "command": list(self.first), **kept, "volumeMounts": mounts}

    def _mounts(self) -> list[tuple[str, str, Object]]:
        """Return the volumes: name, mount path, source."""
        found: list[tuple[str, str, Object]] = []
        for path, config in self.files.items():
            name = str(config["metadata"]["name"])
            found.append((name, path, {"configMap": {"name": name}}))
        found += [(secret, path, {"secret": {"secretName": secret}}) for path, secret in self.secrets.items()]
        for path, name in self.given.items():
            found.append((name, path, {"configMap": {"name": name, "optional": True}}))
        if self.data is not None:
            found.append(("data", self.data, volume(self.name, self.storage_gib)))
        found += [(f"scratch-{number}", path, {"emptyDir": {}}) for number, path in enumerate(self.scratch)]
        return found


def claim(namespace: str, name: str, gib: int) -> Object:
    """Declare a volume with one writer."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": f"{gib}Gi"}}}
    return manifest("v1", "PersistentVolumeClaim", name, namespace, annotations=_SKIP_AWAIT, spec=spec)


def volume(name: str, gib: int | None) -> Object:
    """Return the volume of a claim; without a size, one that lives as long as the pod."""
    return {"persistentVolumeClaim": {"claimName": name}} if gib else {"emptyDir": {}}


def config_map(name: str, namespace: str, files: Mapping[str, str]) -> Object:
    """Declare a ConfigMap of files."""
    return manifest("v1", "ConfigMap", name, namespace, data=dict(files))


def revision(files: Mapping[str, Object]) -> str:
    """Return a short digest of ConfigMaps' contents."""
    content = repr([(path, sorted(config["data"].items())) for path, config in sorted(files.items())])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def may_read(group: str, *resources: str) -> Object:
    """Return the rule to get, list and watch resources of an API group; `` is the core group."""
    return {"apiGroups": [group], "resources": list(resources), "verbs": ["get", "list", "watch"]}


def _permissions(name: str, namespace: str, rules: tuple[Object, ...]) -> tuple[Object, ...]:
    role = f"{namespace}-{name}"
    return (manifest(f"{RBAC}/v1", "ClusterRole", role, rules=list(rules)), binding(role, name, namespace))
