"""Containers' logs as files of bounded size."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import IO, Any

#: A log grows to this size, then it starts again and one older part is kept beside it.
SIZE_LIMIT = 10 * 1024 * 1024
#: Logs of deleted pods are kept for reading afterwards, up to this many pods.
KEPT_PODS = 200
#: A termination message is at most this long, as a kubelet's fallback to logs.
MESSAGE_LINES, MESSAGE_BYTES = 80, 2048


def log_directory(state: Path, pod: dict[str, Any]) -> Path:
    """Return where a pod's logs are."""
    return state / "pods" / f"{pod['metadata']['namespace']}_{pod['metadata']['name']}"


def open_log(directory: Path, container: str) -> IO[bytes]:
    """Open a log for appending: after a rotation its writer goes on at the new end."""
    directory.mkdir(parents=True, exist_ok=True)
    return open(directory / f"{container}.log", "ab")


def rotate(state: Path, limit: int = SIZE_LIMIT) -> None:
    """Bound the size of every log.

    The writer keeps its descriptor, so the file is copied, then cut: what is written in between is lost.
    """
    for log in (state / "pods").glob("*/*.log"):
        if log.stat().st_size > limit:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            with open(log, "r+b") as file:
                file.truncate(0)


def prune(state: Path, living: set[str], kept: int = KEPT_PODS) -> None:
    """Remove the logs of the pods that were deleted longest ago.

    Args:
        state: The kubelet's directory.
        living: Directory names of the pods that exist.
        kept: How many pods' logs to keep.
    """
    gone = [path for path in (state / "pods").glob("*") if path.name not in living]
    gone.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in gone[max(0, kept - len(living)) :]:
        shutil.rmtree(path, ignore_errors=True)


def tail(log: Path, start: int) -> str:
    """Return the last lines that were written after `start`, as a termination message."""
    try:
        with open(log, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(start if start <= size else 0, size - MESSAGE_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-MESSAGE_LINES:])
