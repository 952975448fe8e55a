"""Plans of processes, compiled from a pod's spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway.lab.kubelet.images import Image, ImageTable
from slipway.lab.kubelet.memory import in_bytes
from slipway.lab.kubelet.probes import Probe, parse_probe
from slipway.lab.kubelet.refusal import Refusal, unsupported
from slipway.lab.kubelet.variables import PVC, Sources, expand, variables_of
from slipway.objects import Object


@dataclass(frozen=True)
class Mount:
    """Directory or file of the machine that a container sees at `target`."""

    source: str
    target: str
    read_only: bool


@dataclass(frozen=True)
class ContainerPlan:
    """Process that stands for a container."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    mounts: tuple[Mount, ...]
    workdir: str | None
    home: str
    probes: Mapping[str, Probe]
    memory_limit: int | None = None


def is_sidecar(container: Object) -> bool:
    """Return whether an init container keeps running beside the others."""
    return container.get("restartPolicy") == "Always"


def check_pod(pod: Object, table: ImageTable) -> None:
    """Refuse an unsupported pod before anything starts.

    Raises:
        Refusal: The pod needs something that this kubelet does not support.
    """
    spec = pod["spec"]
    for flag in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(flag):
            raise unsupported(flag)
    for container in [*(spec.get("initContainers") or ()), *spec["containers"]]:
        check_container(container, table)


def check_container(container: Object, table: ImageTable) -> None:
    """Refuse a container that cannot become a process; arguments and errors as `check_pod`."""
    image_of(container, table)
    name = container["name"]
    if (container.get("lifecycle") or {}).get("postStart"):
        raise unsupported(f"container {name}: lifecycle.postStart")
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        if container.get(kind):
            parse_probe(container[kind], container)
    for mount in container.get("volumeMounts") or ():
        if mount.get("subPathExpr"):
            raise unsupported(f"container {name}: volumeMounts subPathExpr")


def image_of(container: Object, table: ImageTable) -> Image:
    """Return the table's entry for a container's image.

    Raises:
        Refusal: The table has no such image, or its command is not built yet.
    """
    image = table.find(container["image"])
    if image is None:
        known = ", ".join(sorted(table.images)) or "none"
        raise Refusal(
            "ErrImagePull",
            f"image {container['image']!r} is not in the lab's image table: the lab pulls no images, it runs local "
            f"commands that stand for them (known: {known})",
        )
    if lacking := next((path for path in image.files.values() if not Path(path).exists()), None):
        raise Refusal(
            "ErrImagePull",
            f"image {container['image']!r} stands for {lacking}, which is not built yet; "
            "`slipway lab up --with …` builds what a part of the platform needs",
            retry=True,
        )
    return image


def plan_container(
    container: Object,
    pod: Object,
    table: ImageTable,
    sources: Sources,
    address: str,
    directory: Path,
    mounts: Sequence[Mount] = (),
) -> ContainerPlan:
    """Return the process that stands for a container.

    Args:
        directory: The pod's own directory on this machine; `volumes/<name>` are in it.
        mounts: Mounts of every container, unless it has its own at the same place.

    Raises:
        Refusal: The container cannot start.
    """
    check_container(container, table)
    image = image_of(container, table)
    home = str(directory / "homes" / container["name"])
    env = variables_of(container, pod, {**image.variables(), "HOME": home, "TMPDIR": home}, sources, address)
    command = container.get("command") or list(image.entrypoint)
    # As in OCI: a container's own command drops the image's default arguments too.
    arguments = container.get("args") or ([] if container.get("command") else list(image.command))
    argv = tuple(expand(text, env) for text in (*command, *arguments))
    if not argv:
        raise Refusal("CreateContainerError", f"container {container['name']}: neither it nor its image has a command")
    files = [Mount(source, target, True) for target, source in image.files.items()]
    # A mount inside another one must come after it; of two at the same place, the later one is visible.
    places = [*mounts, *files, *_mounts(container, pod, directory, env)]
    return ContainerPlan(
        name=container["name"],
        argv=argv,
        env=env,
        mounts=tuple(sorted(places, key=lambda mount: mount.target)),
        workdir=container.get("workingDir"),
        home=home,
        probes={
            kind: parse_probe(container[kind], container)
            for kind in ("startupProbe", "readinessProbe", "livenessProbe")
            if container.get(kind)
        },
        memory_limit=in_bytes(((container.get("resources") or {}).get("limits") or {}).get("memory", "")),
    )


def _mounts(container: Object, pod: Object, directory: Path, env: Mapping[str, str]) -> list[Mount]:
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    mounts = []
    for mount in container.get("volumeMounts") or ():
        if mount["name"] not in volumes:
            raise Refusal("CreateContainerConfigError", f"no volume {mount['name']!r} in the pod")
        source = directory / "volumes" / mount["name"]
        if sub_path := mount.get("subPath"):
            if ".." in Path(sub_path).parts:
                raise unsupported(f"a subPath outside the volume: {sub_path!r}")
            source = source / sub_path
        # As in Kubernetes since 1.9.6: volumes with content from the API are read-only.
        read_only = bool(mount.get("readOnly")) or not ({"emptyDir", PVC} & volumes[mount["name"]].keys())
        mounts.append(Mount(str(source), expand(mount["mountPath"], env).rstrip("/"), read_only))
    return mounts
