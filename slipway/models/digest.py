"""The name-aware digest `tree/v1` of a model's artifacts.

Rows of [relative path, "sha256", hex] over every regular file, sorted, as compact ASCII JSON; the digest is the sha256
of that. Names are part of it: swapping two files changes it, the order of a listing does not.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from slipway.errors import SlipwayError

#: Top-level names outside the digest: its signature, and a file of MLflow's downloads (models_artifact_repo.py).
IGNORED = frozenset({"model.sig", "registered_model_meta"})

CHUNK = 1 << 20


class Readable(Protocol):
    """A stream that is read in pieces."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""


@dataclass(frozen=True, order=True)
class HashedFile:
    """One file of a tree."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Tree:
    """The digest, size and number of a tree's files."""

    digest: str
    size_bytes: int
    files: int


def sha256_of(stream: Readable, kept: bytearray | None = None) -> tuple[str, int]:
    """Return the hex sha256 of a stream with its length; `kept`, if given, receives the bytes."""
    digest, size = hashlib.sha256(), 0
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if kept is not None:
            kept += chunk
    return digest.hexdigest(), size


def tree(name: str, files: Iterable[HashedFile]) -> Tree:
    """Return the digest of hashed files; `name` names the tree in messages.

    Raises:
        SlipwayError: The paths are no portable tree.
    """
    counted = sorted(file for file in files if file.path not in IGNORED)
    check_paths(name, [file.path for file in counted])
    rows = [[file.path, "sha256", file.sha256] for file in counted]
    canonical = json.dumps(rows, ensure_ascii=True, separators=(",", ":"))
    digest = f"sha256:{hashlib.sha256(canonical.encode('ascii')).hexdigest()}"
    return Tree(digest, sum(file.size for file in counted), len(counted))


def check_paths(name: str, paths: Iterable[str]) -> None:
    """Refuse paths that are not the same tree on every machine.

    Raises:
        SlipwayError: No file at all, or a path that is absolute, leaves the tree, or clashes with another.
    """
    files: set[str] = set()
    folders: dict[str, str] = {}
    for path in sorted(path for path in paths if path not in IGNORED):
        parts = path.split("/")
        if path.startswith("/"):
            raise _refused(name, path, "an absolute path")
        if any(part in ("", ".", "..") for part in parts):
            raise _refused(name, path, "a path with an empty, '.' or '..' part")
        if path in files:
            raise _refused(name, path, "listed twice")
        files.add(path)
        for depth in range(1, len(parts) + 1):
            prefix = "/".join(parts[:depth])
            other = folders.setdefault(_folded(prefix), prefix)
            if other != prefix:
                raise _refused(name, path, f"differs from {other} only in case")
            if depth < len(parts) and prefix in files:
                raise _refused(name, path, f"needs a folder where {prefix} is a file")
    if not files:
        raise SlipwayError(f"{name}: empty artifact tree; expected at least one file; log the model again")


def local_tree(directory: Path, name: str | None = None) -> Tree:
    """Return the digest of a local directory.

    Raises:
        SlipwayError: It cannot be read, or holds anything but regular files in folders.
    """
    name = name or str(directory)
    files = list(local_files(directory, name))
    check_paths(name, (path for path, _ in files))
    return tree(name, (hashed(path, file) for path, file in files))


def hashed(path: str, file: Path) -> HashedFile:
    """Hash one local file under the path that it has in its tree."""
    with file.open("rb") as stream:
        return HashedFile(path, *sha256_of(stream))


def local_files(directory: Path, name: str) -> Iterator[tuple[str, Path]]:
    """Yield (path in the tree, file) for each regular file.

    Raises:
        SlipwayError: The directory cannot be read, or holds a symlink, a device, a socket.
    """
    if directory.is_symlink():
        raise _refused(name, ".", "a symbolic link")
    pending = [directory]
    while pending:
        folder = pending.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise SlipwayError(f"{name}: cannot be read ({error.strerror}: {folder})") from None
        for entry in entries:
            file = Path(entry.path)
            path, mode = file.relative_to(directory).as_posix(), entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                pending.append(file)
            elif stat.S_ISREG(mode):
                yield path, file
            else:
                raise _refused(name, path, "a symbolic link" if stat.S_ISLNK(mode) else "not a regular file")


def _folded(path: str) -> str:
    # File systems that ignore case mostly ignore how an accent is composed, too.
    return unicodedata.normalize("NFC", path.casefold())


def _refused(name: str, path: str, reason: str) -> SlipwayError:
    return SlipwayError(f"{name}: {path!r}: {reason}; expected regular files with distinct relative paths")
