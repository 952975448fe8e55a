"""What every program under measurement is run with: one engine, one plugin, one Python."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from slipway.tools import toolchain
from tests.bench import processes
from tests.bench.processes import Usage

ROOT = Path(__file__).resolve().parents[2]
ECHO = Path(__file__).parent / "echo"
STACK = "bench"

#: Steps that the engine takes at once, said so that every machine does the same.
PARALLEL = "8"

#: Rows of the display are printed once, at the end, for every program alike.
_FLAGS = ("--non-interactive", "--color=never", "--suppress-progress", "--suppress-outputs", f"--parallel={PARALLEL}")


class Toolbox:
    """Runs Pulumi programs below one scratch directory.

    Args:
        work: The directory.
        extra: Variables that every run gets.
    """

    def __init__(self, work: Path, extra: Mapping[str, str]) -> None:
        self.work, self._extra = work, dict(extra)
        plugins = work / "path"
        plugins.mkdir(parents=True)
        (plugins / "pulumi-resource-kubernetes").symlink_to(echo_plugin())
        path = [plugins, Path(sys.executable).parent, *toolchain.path_entries(), "/usr/bin", "/bin"]
        self._path = os.pathsep.join(map(str, path))

    def environment(self, state: Path) -> dict[str, str]:
        """Return the environment of a run; no setting of the user's own Pulumi or MLflow reaches it."""
        kept = {key: os.environ[key] for key in ("HOME", "LANG", "TMPDIR") if key in os.environ}
        return {
            **kept,
            "PATH": self._path,
            "PULUMI_HOME": str(self.work / "home"),
            "PULUMI_BACKEND_URL": state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "bench",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "SLIPWAY_CACHE": str(self.work / "cache"),
            **self._extra,
        }

    def preview(self, project: Path, state: Path, **environment: str) -> Usage:
        """Preview a project."""
        return self.pulumi(project, state, "preview", *_FLAGS, **environment)

    def up(self, project: Path, state: Path, **environment: str) -> Usage:
        """Update a project's stack."""
        return self.pulumi(project, state, "up", "--yes", "--skip-preview", *_FLAGS, **environment)

    def new_state(self, project: Path, state: Path) -> Path:
        """Make an empty backend with the stack in it."""
        state.mkdir(parents=True)
        self.pulumi(project, state, "stack", "init", STACK, "--non-interactive")
        return state

    def pulumi(self, project: Path, state: Path, *arguments: str, **environment: str) -> Usage:
        """Run one command of Pulumi."""
        settings = {**self.environment(state), **environment}
        return processes.run(["pulumi", *arguments], project, settings)


def copy_state(seeded: Path, target: Path) -> Path:
    """Copy a backend, so that each run starts from the same one."""
    shutil.copytree(seeded, target)
    return target


def checkpoint(state: Path) -> Path:
    """Return the file that holds the stack's state."""
    (found,) = (state / ".pulumi" / "stacks").rglob(f"{STACK}.json")
    return found


def echo_plugin() -> Path:
    """Return the compiled echo plugin; built once for all clones, as the lab's own tools are."""
    key = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(ECHO.iterdir()))).hexdigest()[:16]
    binary = toolchain.cache() / "bench-echo" / key / "pulumi-resource-kubernetes"
    if not binary.exists():
        binary.parent.mkdir(parents=True, exist_ok=True)
        partial = binary.with_suffix(".partial")
        command = [str(toolchain.go()), "build", "-trimpath", "-ldflags", "-s -w", "-o", str(partial), "."]
        settings: Mapping[str, str] = {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}
        subprocess.run(command, cwd=ECHO, env=settings, check=True)
        partial.rename(binary)
    return binary
