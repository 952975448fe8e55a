"""A lab without its platform: control plane, object store, kubelet.

Run as a script, it stays until its stdin closes. Tests that kill the kubelet must not share a lab with others.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import slipway
from slipway.clients.kube import Kube, KubeError
from slipway.lab import control_plane, namespace, network, pki, relay
from slipway.lab.kubelet.images import standard_images
from slipway.lab.paths import Paths, write_private
from slipway.lab.processes import Component, Processes
from slipway.tools import toolchain

ACCESS_KEY, SECRET_KEY = "stage", "stage-secret"
#: What a machine with enough memory says, and one without, in bytes.
ENOUGH, SHORT = 1 << 33, 1 << 20
BINARIES = ("etcd", "kube-apiserver", "kube-controller-manager", "versitygw")
Make = Callable[[control_plane.Layout], Component]
COMPONENTS: tuple[tuple[Make, ...], ...] = (
    (control_plane.etcd, control_plane.object_store),
    (control_plane.api_server,),
    (control_plane.controller_manager, lambda layout: kubelet(layout)),
)


def kubelet(layout: control_plane.Layout) -> Component:
    """The lab's kubelet, told of the machine's memory by the tests."""
    usual = control_plane.kubelet(layout)
    return replace(usual, command=(*usual.command, f"--meminfo={layout.paths.lab / 'meminfo'}"))


def kill_pod(kube: Kube, name: str, namespace: str) -> None:
    """Delete a pod, if it exists, without its grace period."""
    with contextlib.suppress(KubeError):
        kube.request("DELETE", kube.url_of("v1", "Pod", namespace, name), body={"gracePeriodSeconds": 0})


@dataclass
class Stage:
    """A running stage, seen from outside.

    Args:
        process: The script.
        pid: Process 1 of its namespaces.
        kube: Its API server.
        paths: Its files.
    """

    process: subprocess.Popen[str]
    pid: int
    kube: Kube
    paths: Paths

    def inside(self, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command in the stage's network."""
        enter = ["nsenter", "--user", "--net", "--preserve-credentials", f"--target={self.pid}"]
        return subprocess.run([*enter, *command], text=True, capture_output=True, timeout=60, **options)

    def kubelet(self) -> int:
        """Return the kubelet's process id, as seen from outside."""
        (found,) = [pid for pid, line in processes() if "slipway.lab.kubelet" in line and str(self.paths.lab) in line]
        return found

    def memory(self, available: int) -> None:
        """Let the machine have so many bytes available."""
        write_private(self.paths.lab / "meminfo", f"MemAvailable: {available >> 10} kB\n")

    def log(self, pod: str, container: str) -> str:
        """Return what a container has printed."""
        return (self.paths.kubelet / "pods" / f"default_{pod}" / f"{container}.log").read_text()


def processes() -> list[tuple[int, str]]:
    """List process ids with command lines."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.append((int(entry.name), (entry / "cmdline").read_text().replace("\0", " ")))
            except OSError:
                continue
    return found


def start(project: Path, script: str = __file__) -> Stage:
    """Start a stage, or another script like this one; it ends when `process.stdin` closes."""
    package, tests = Path(slipway.__file__).parents[1], Path(__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, script, str(project)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{package}{os.pathsep}{tests}"},
    )
    assert process.stdout
    with process.stdout:
        line = process.stdout.readline()
    if not line:
        process.communicate()
        raise AssertionError(f"the stage did not start (exit {process.returncode})")
    facts, paths = json.loads(line), Paths(project)
    config = pki.kubeconfig(paths.pki, "admin", f"https://127.0.0.1:{facts['port']}")
    return Stage(process, facts["pid"], Kube.from_config(json.loads(config), project), paths)


def main(project: Path, components: Sequence[Sequence[Make]] = COMPONENTS) -> int:
    """Run a stage of these components; one group is ready before the next starts."""
    paths = Paths(project)
    paths.logs.mkdir(parents=True, exist_ok=True)
    write_private(paths.lab / "meminfo", f"MemAvailable: {ENOUGH >> 10} kB\n")
    pki.ensure(paths.pki)
    for identity in pki.IDENTITIES:
        write_private(paths.inside_kubeconfig(identity), pki.kubeconfig(paths.pki, identity, network.API))
    images = standard_images(toolchain.venv("mlserver"), toolchain.venv("kserve-storage"))
    write_private(paths.lab / "images.json", json.dumps(images))
    binaries = {name: str(toolchain.binary(name)) for name in BINARIES}
    layout = control_plane.Layout(paths, binaries, ACCESS_KEY, SECRET_KEY)
    listener = socket.create_server(("127.0.0.1", 0))
    lifeline, held = os.pipe()
    ready, readied = os.pipe()
    namespace.unshare()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(held)
            # Nobody reads the pipe after its first line; what went wrong goes to the terminal.
            os.dup2(os.open(paths.log("stage"), os.O_WRONLY | os.O_CREAT, 0o600), 1)
            namespace.become_init(lifeline)
            network.bring_up()
            code = asyncio.run(inside(layout, components, listener, readied))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(readied)
    os.close(lifeline)
    if os.read(ready, 1):
        print(json.dumps({"port": listener.getsockname()[1], "pid": child}), flush=True)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


async def inside(
    layout: control_plane.Layout, components: Sequence[Sequence[Make]], listener: socket.socket, ready: int
) -> int:
    """Bring the components up, and down again when stdin closes."""
    for directory in (layout.paths.etcd, layout.paths.s3, layout.paths.lab / "attributes", layout.paths.lab / "tmp"):
        directory.mkdir(parents=True, exist_ok=True)
    running = Processes(layout.paths.log, lambda: None)
    for group in components:
        await asyncio.gather(*(running.start(make(layout)) for make in group))
    relaying = await relay.serve(listener, network.ADDRESS, network.API_PORT)
    os.write(ready, b"1")
    await asyncio.to_thread(sys.stdin.read)
    relaying.close()
    for name in reversed(list(running.running)):
        await running.stop(name)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
