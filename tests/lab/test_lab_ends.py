"""How a lab ends: asked to, killed, wiped; each with a lab of its own."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import slipway
from slipway.clients.kube import Kube
from slipway.clients.prometheus import Prometheus
from slipway.errors import SlipwayError
from slipway.lab import lifecycle, state
from slipway.lab.paths import Paths
from slipway.tools import toolchain

MARK = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mark", "namespace": "default"}}
#: Holds as soon as the gateway has answered Prometheus once.
MEASURED = 'up{job="gateway"} == 1'
#: A user that no file on the machine belongs to.
STRANGER = 61234


@contextlib.contextmanager
def cluster(project: Path) -> Iterator[Kube]:
    kube = Kube.from_kubeconfig(Paths(project).kubeconfig)
    try:
        yield kube
    finally:
        kube.session.close()


def descendants(pid: int) -> dict[int, int]:
    """Map each process below `pid`, with itself, to a handle of it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    below = {pid}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    return {process: os.pidfd_open(process) for process in below}


def all_end(handles: dict[int, int], seconds: float) -> bool:
    """Wait for the end of every process, without asking twice."""
    deadline = time.monotonic() + seconds
    ended = [
        bool(select.select([handle], [], [], max(0.0, deadline - time.monotonic()))[0]) for handle in handles.values()
    ]
    for handle in handles.values():
        os.close(handle)
    return all(ended)


def prometheus(facts: state.Facts) -> Prometheus:
    return Prometheus(facts.url("prometheus"))


def measured(facts: state.Facts) -> float:
    """Wait until Prometheus has measured something; return when that was, in seconds since the epoch."""
    deadline = time.monotonic() + 20
    while not prometheus(facts).query(MEASURED):
        assert time.monotonic() < deadline
        time.sleep(0.2)  # it measures once a second
    return time.time()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project whose lab has run once, holds a marked object, and is stopped."""
    project = tmp_path_factory.mktemp("ends")
    facts = lifecycle.up(project)
    below = descendants(facts.supervisor)
    with cluster(project) as kube:
        kube.apply(MARK)
    assert lifecycle.down(project)
    assert all_end(below, 0)
    assert len(below) > 9
    yield project
    lifecycle.down(project)


def test_a_lab_that_was_stopped_does_not_run(project: Path) -> None:
    found = lifecycle.status(project)
    assert not found.running
    assert not found.ready
    assert not lifecycle.down(project)


def test_state_survives_and_a_killed_supervisor_leaves_no_process(project: Path) -> None:
    before = state.load(Paths(project))
    facts = lifecycle.up(project)
    assert before is not None
    assert (facts.identifier, facts.ports) == (before.identifier, before.ports)
    with cluster(project) as kube:
        assert kube.get("v1", "ConfigMap", "mark", "default")
    moment = measured(facts)
    below = descendants(facts.supervisor)
    assert len(below) > 9
    os.kill(facts.supervisor, signal.SIGKILL)
    assert all_end(below, 10)
    assert not lifecycle.status(project).running
    # What Prometheus knew at that moment it still knows.
    assert prometheus(lifecycle.up(project)).query(MEASURED, moment)
    lifecycle.down(project)


def test_a_failed_component_is_shown_with_its_last_words_and_nothing_stays(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = project / "broken"
    script.write_text("#!/bin/sh\necho the disk is made of cheese\nexit 7\n")
    script.chmod(0o755)
    real = toolchain.binary
    monkeypatch.setattr(toolchain, "binary", lambda name: script if name == "versitygw" else real(name))
    said: list[str] = []
    with pytest.raises(SlipwayError, match="s3 ended with exit code 7"):
        lifecycle.up(project, said.append)
    assert any("the disk is made of cheese" in line for line in said)
    assert not state.running(Paths(project))
    facts = state.load(Paths(project))
    assert facts is not None
    assert facts.supervisor == 0


def test_reset_wipes_all(project: Path) -> None:
    lifecycle.reset(project)
    assert list(Paths(project).root.iterdir()) == []


def test_an_interrupted_up_leaves_nothing(project: Path) -> None:
    below: dict[int, int] = {}

    def interrupt(line: str) -> None:
        if "etcd" in line:
            facts = state.load(Paths(project))
            assert facts is not None
            below.update(descendants(facts.supervisor))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lifecycle.up(project, interrupt)
    assert len(below) > 2
    assert all_end(below, 0)
    assert not state.running(Paths(project))


def test_where_user_namespaces_are_off_one_sentence_says_how_to_turn_them_on(tmp_path: Path) -> None:
    # The switch is one of each user namespace: in one of its own it can be turned off for real.
    code = f"""
from pathlib import Path
from slipway.errors import SlipwayError
from slipway.lab import lifecycle
Path("/proc/sys/user/max_user_namespaces").write_text("0")
try:
    lifecycle.up(Path({str(tmp_path)!r}))
except SlipwayError as error:
    print(int(error.exit_code), error)
"""
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(package())},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == (
        "5 lab: user namespaces are off (user.max_user_namespaces = 0); "
        "turn them on: sudo sysctl user.max_user_namespaces=15000\n"
    ), done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="the tests run unprivileged already, so every other test shows it")
def test_a_user_without_any_privilege_has_a_lab() -> None:
    # Not below pytest's own directories, which are closed to others.
    home = Path(tempfile.gettempdir()) / f"slipway-stranger-{os.getpid()}"
    project = home / "project"
    project.mkdir(parents=True)
    for path in (home, project):
        os.chown(path, STRANGER, STRANGER)
    code = f"from pathlib import Path; from slipway.lab import lifecycle; lifecycle.up(Path({str(project)!r}))"
    try:
        done = as_stranger([sys.executable, "-c", code], home)
        assert done.returncode == 0, done.stdout + done.stderr
        found = lifecycle.status(project)
        assert found.ready
        assert {Path(f"/proc/{part.pid}").stat().st_uid for part in found.components} == {STRANGER}
        with cluster(project) as kube:
            kube.apply(MARK)
        below = descendants(found.supervisor)
        assert lifecycle.down(project)
        assert all_end(below, 0)
    finally:
        lifecycle.down(project)
        shutil.rmtree(home)


def as_stranger(command: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a user without name, groups or capabilities, who may read what the command needs.

    Interpreter and tools may lie in root's home, which is closed to others: in a mount namespace of its own they are
    put at the same place under directories that are open.
    """
    needed = {Path(place).resolve() for place in (sys.prefix, sys.base_prefix, toolchain.cache(), package())}
    needed |= {Path(sysconfig.get_path("stdlib")).resolve()}
    closed = sorted({top for place in needed if (top := closed_ancestor(place))})
    lines = ["set -e"]
    for number, top in enumerate(closed):
        stage = f"{home}/stage{number}"
        lines += [f"mkdir {stage}", f"mount -t tmpfs -o mode=755 none {stage}"]
        for place in sorted(place for place in needed if top in (place, *place.parents)):
            inside = shlex.quote(f"{stage}/{place.relative_to(top)}")
            lines += [f"mkdir -p {inside}", f"mount --rbind {shlex.quote(str(place))} {inside}"]
        lines.append(f"mount --rbind {stage} {shlex.quote(str(top))}")
    drop = [
        "setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups",
        "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs",
    ]  # fmt: skip
    lines.append(f"exec {shlex.join([*drop, *command])}")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": str(package()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SLIPWAY_CACHE": str(toolchain.cache()),
    }
    return subprocess.run(
        ["unshare", "--mount", "--propagation=private", "bash", "-c", "\n".join(lines)],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=240,
    )


def package() -> Path:
    return Path(slipway.__file__).parents[1]


def closed_ancestor(place: Path) -> Path | None:
    """Find the highest directory on the way that others cannot pass."""
    return next((d for d in reversed(place.parents) if not d.stat().st_mode & 0o001), None)
