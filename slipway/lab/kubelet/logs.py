"""Log files of containers, bounded in size."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import IO, Any

#: Bytes of a log; then it starts again, and one older part is kept beside it.
SIZE_LIMIT = 10 * 1024 * 1024
#: Pods whose logs are kept, deleted ones included.
KEPT_PODS = 200
#: Limits of a termination message, as in a kubelet's fallback to logs.
MESSAGE_LINES, MESSAGE_BYTES = 80, 2048


def log_directory(state: Path, pod: dict[str, Any]) -> Path:
    """Return the directory of a pod's logs."""
    return state / "pods" / f"{pod['metadata']['namespace']}_{pod['metadata']['name']}"


def open_log(directory: Path, container: str) -> IO[bytes]:
    """Open a log in append mode: after a rotation its writer goes on at the new end."""
    directory.mkdir(parents=True, exist_ok=True)
    return open(directory / f"{container}.log", "ab")


def rotate(state: Path, limit: int = SIZE_LIMIT) -> None:
    """Bound the size of every log.

    The writer keeps its descriptor, so the file is copied and then cut: lines written in between are lost.
    """
    for log in (state / "pods").glob("*/*.log"):
        if log.stat().st_size > limit:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            with open(log, "r+b") as file:
                file.truncate(0)


def prune(state: Path, living: set[str], kept: int = KEPT_PODS) -> None:
    """Remove the logs of the pods deleted longest ago.

    Args:
        living: Directory names of the existing pods.
    """
    gone = [path for path in (state / "pods").glob("*") if path.name not in living]
    gone.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in gone[max(0, kept - len(living)) :]:
        shutil.rmtree(path, ignore_errors=True)


def tail(log: Path, start: int) -> str:
    """Return the last lines after offset `start` as a termination message."""
    try:
        with open(log, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(start if start <= size else 0, size - MESSAGE_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-MESSAGE_LINES:])
