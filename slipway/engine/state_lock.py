"""Locks of dead runs in Pulumi's file backend.

Pulumi writes one JSON file per writer (pkg/backend/diy/lock.go: pid, username, hostname, timestamp) and deletes it at
the end. A killed run leaves its file, and every later run is refused until it is deleted. Only a lock of this host
whose process is gone is provably dead; others are left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlparse

#: Directory of the file backend's locks; its organization is always called `organization`.
LOCKS = ".pulumi/locks/organization"


def backend_url(environ: Mapping[str, str]) -> str | None:
    """Return the URL of Pulumi's backend: the environment's or that of the last `pulumi login`."""
    if url := environ.get("PULUMI_BACKEND_URL"):
        return url
    home = Path(environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    with contextlib.suppress(OSError, ValueError):
        current = json.loads((home / "credentials.json").read_text()).get("current")
        return str(current) if current else None
    return None


def stacks(project: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """List the stacks that have a lock, dead or alive."""
    directory = _directory(environ)
    found = (directory / LOCKS / project).glob("*/*.json") if directory else ()
    return sorted({file.parent.name for file in found})


def break_dead(project: str, stack: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Delete the locks of dead runs on this host, with Pulumi's environment; return a sentence for each lock."""
    directory = _directory(environ)
    if directory is None:
        return []
    broken = []
    for file in sorted((directory / LOCKS / project / stack).glob("*.json")):
        try:
            owner = json.loads(file.read_text())
            pid, host, written = int(owner["pid"]), str(owner["hostname"]), file.stat().st_mtime
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if host == socket.gethostname() and not _lives(pid, written):
            file.unlink(missing_ok=True)
            file.with_name(f"{file.name}.attrs").unlink(missing_ok=True)
            broken.append(f"stack {stack}: removed the lock that a killed run left (pid {pid})")
    return broken


def _directory(environ: Mapping[str, str]) -> Path | None:
    url = backend_url(environ)
    if not url or not url.startswith("file://"):
        return None
    path = url.removeprefix("file://")
    if path.startswith("~"):
        return Path(path).expanduser()
    return Path(unquote(urlparse(url).path)) if path.startswith("/") else Path(path)


def _lives(pid: int, since: float) -> bool:
    """Check that the process that wrote a lock lives; another process with its pid would have started later."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        booted = Path("/proc/stat").read_text().partition("btime ")[2].split()[0]
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # without /proc nothing is proven, so it counts as alive
    except OSError:
        return True
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], int(booted) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return state != "Z" and started < since + 2  # btime is in whole seconds
