"""Choice of the plugin for Kubernetes resources: the official one wherever it is installed."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

#: File name by which the engine finds the plugin.
BINARY = "pulumi-resource-kubernetes"
#: Line of our launcher, which distinguishes it from the official plugin.
MARK = "slipway: stand-in for pulumi-resource-kubernetes"
#: Seconds for the download of the official plugin, once per version.
INSTALL_SECONDS = 60.0


@dataclass(frozen=True)
class Choice:
    """Chosen plugin."""

    kind: Literal["official", "stand-in"]
    reason: str
    path: Path

    def __str__(self) -> str:
        return f"Kubernetes plugin: {self.kind} ({self.reason})"


def choose(
    state: Path, *, install: bool = False, pulumi: str = "pulumi", environ: Mapping[str, str] = os.environ
) -> Choice:
    """Return the plugin to use; for the stand-in a launcher is written.

    Args:
        state: Directory for the launcher (in `bin/`, to be put on PATH) and for the record of failed downloads.
        install: Whether to download the official plugin, unless that failed before for this version.
        pulumi: The CLI for the download.
        environ: Variables with PATH, PULUMI_HOME and HOME.
    """
    if (official := find_official(environ)) is not None:
        return Choice("official", f"found {official}", official)
    version = sdk_version()
    reason = "the official plugin is not installed"
    if version is None:
        reason = "pulumi-kubernetes is not installed"
    elif install:
        reason = _install(version, state / "kubernetes-plugin.json", pulumi, environ)
        if (official := find_official(environ)) is not None:
            return Choice("official", f"installed {official}", official)
    return Choice("stand-in", reason, write_launcher(state / "bin"))


def find_official(environ: Mapping[str, str]) -> Path | None:
    """Return the official plugin: of the SDK's version in Pulumi's cache, or any on PATH except ours."""
    homes = [environ.get("PULUMI_HOME"), os.path.join(environ.get("HOME", "~"), ".pulumi")]
    cached = [Path(home) / "plugins" / f"resource-kubernetes-v{sdk_version()}" for home in homes if home]
    on_path = [Path(entry) for entry in environ.get("PATH", "").split(os.pathsep) if entry]
    for directory in [*cached, *on_path]:
        file = directory / BINARY
        if os.access(file, os.X_OK) and file.is_file() and not _is_ours(file):
            return file
    return None


def hand_over(arguments: Sequence[str]) -> None:
    """Execute the official plugin instead of this process, if it exists."""
    if (official := find_official(os.environ)) is not None:
        os.execv(official, [str(official), *arguments])


def sdk_version() -> str | None:
    """Return the version of the installed pulumi-kubernetes; the engine requires the same of its plugin."""
    try:
        return metadata.version("pulumi-kubernetes")
    except metadata.PackageNotFoundError:
        return None


def write_launcher(directory: Path) -> Path:
    """Write an executable that starts the stand-in with this interpreter, from this checkout."""
    root = str(Path(__file__).resolve().parents[3])
    # The server takes a second to load, which the official plugin must not wait for.
    code = (
        f"import sys; sys.path.insert(0, {root!r}); from slipway.lab.plugin.choice import hand_over;"
        " hand_over(sys.argv[1:]); from slipway.lab.plugin.server import main; sys.exit(main(sys.argv[1:]))"
    )
    text = f'#!/bin/sh\n# {MARK}\nexec {shlex.quote(sys.executable)} -I -c {shlex.quote(code)} "$@"\n'
    file = directory / BINARY
    directory.mkdir(parents=True, exist_ok=True)
    if not file.exists() or file.read_text() != text:
        # Renamed into place, since an engine may be starting the old one.
        new = file.with_suffix(".new")
        new.write_text(text)
        new.chmod(0o755)
        new.replace(file)
    return file


def _is_ours(file: Path) -> bool:
    with contextlib.suppress(OSError), file.open("rb") as opened:
        return MARK.encode() in opened.read(4096)
    return False


def _install(version: str, memory: Path, pulumi: str, environ: Mapping[str, str]) -> str:
    """Try to download the official plugin; return why it is missing."""
    with contextlib.suppress(OSError, ValueError):
        remembered = json.loads(memory.read_text())
        if remembered["version"] == version:
            return str(remembered["reason"])
    command = [pulumi, "plugin", "install", "resource", "kubernetes", version]
    try:
        done = subprocess.run(
            command,
            env=dict(environ),
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        # The last part of the chain is the cause; the parts before repeat our request.
        cause = lines[-1].rpartition(": ")[2].strip() if lines else "no reason given"
        reason = f"{version} cannot be downloaded ({cause})"
        if done.returncode == 0:
            return "the download brought no plugin"
    except subprocess.TimeoutExpired:
        reason = f"{version} cannot be downloaded within {INSTALL_SECONDS:.0f} s"
    except OSError as error:
        return f"{pulumi} cannot be run ({error.strerror})"
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(json.dumps({"version": version, "reason": reason}) + "\n")
    return reason
