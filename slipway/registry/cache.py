"""Cache of immutable facts, each under a key that identifies its content.

A cache that is lost, broken or read-only costs only time.
"""

from __future__ import annotations

import sqlite3
import threading
from functools import lru_cache
from pathlib import Path

from slipway.tools import toolchain


class Cache:
    """Text by key, in one SQLite file that processes may share."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._db = _opened(str(file))
        except (OSError, sqlite3.Error):
            self._db = _opened(":memory:")

    def get(self, kind: str, key: str) -> str | None:
        """Return the text of a key, or None."""
        try:
            with self._lock:
                row = self._db.execute("SELECT value FROM entry WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        except sqlite3.Error:
            return None
        return str(row[0]) if row else None

    def put(self, kind: str, entries: dict[str, str]) -> None:
        """Store entries; a failure is ignored."""
        rows = [(kind, key, value) for key, value in entries.items()]
        try:
            with self._lock, self._db:
                self._db.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?)", rows)
        except sqlite3.Error:
            return


@lru_cache(maxsize=4)
def shared(file: Path) -> Cache:
    """Return the process' one connection to a cache file."""
    return Cache(file)


def registry_cache() -> Cache:
    """Return the cache of registry facts and artifact digests."""
    return shared(toolchain.cache() / "registry" / "v1.db")


def _opened(file: str) -> sqlite3.Connection:
    db = sqlite3.connect(file, timeout=5.0, check_same_thread=False)
    with db:
        db.execute("CREATE TABLE IF NOT EXISTS entry (kind TEXT, key TEXT, value TEXT, PRIMARY KEY (kind, key))")
    return db
