"""What happened in rollouts, as lines that are only ever added.

One JSON object a line, each on disk before anybody is told that it is noted. A line that a crash has torn is passed
over when the file is read, and ends where the next one begins.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from slipway.times import epoch, stamp

#: Flagger's messages (pkg/controller/*.go) that say what a rollout did; the first that fits counts. What fits none is
#: a note.
_KINDS = (
    (r"New revision detected!", "started"),
    (r"Advance \S+ canary weight (?P<weight>\d+)", "advanced"),
    (r"Advance \S+ canary iteration", "advanced"),
    (r"(Stop traffic mirroring and route|Routing) all traffic to canary", "advanced"),
    (r"Promotion completed!", "promoted"),
    (r"Rolling back \S+ (failed checks threshold|progress deadline)", "rolled-back"),
    (r"Halt \S+ advancement waiting for", "note"),
    (r"Halt |Metric (query|template) |Prometheus query failed", "halted"),
)
#: Said at every tick to say that nothing happened. The judge's own entry has the reason for waiting.
_IDLE = re.compile(r"Rollback hook \S+ not signaling a rollback|.*waiting for traffic increase approval")


@dataclass(frozen=True)
class Entry:
    """One thing that happened.

    Args:
        at: ISO 8601, UTC, to the millisecond.
        namespace: Of the model.
        model: Its name.
        kind: One of delivery.record.Kind, or `note`.
        message: What happened, for people.
        phase: Flagger's phase then, where known.
        weight: Percent of the traffic that the candidate had then, where known.
        candidate: InferenceService, where known.
        run: When the rollout began, where known, as `at`.
        count: How often it happened, up to `at`.
        recovered: Whether it was added later, from what the cluster still knew.
    """

    at: str
    namespace: str
    model: str
    kind: str
    message: str
    phase: str = ""
    weight: int | None = None
    candidate: str = ""
    run: str = ""
    count: int = 1
    recovered: bool = False

    @property
    def time(self) -> float:
        """Seconds since the epoch."""
        moment = epoch(self.at)
        if moment is None:
            raise ValueError("at: missing")
        return moment


_FIELDS = {field.name for field in fields(Entry)}


class Ledger:
    """A file of entries, held in memory too; safe for use by several threads of one process.

    Raises:
        OSError: The file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes() if path.exists() else b""
        self._entries = list(parse(content.splitlines()))
        self._known = set(self._entries)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if content and not content.endswith(b"\n"):
            os.write(self._file, b"\n")

    def add(self, entry: Entry) -> bool:
        """Note an entry for good; one that is there already is not noted again."""
        with self._lock:
            if entry in self._known or replace(entry, recovered=False) in self._known:
                return False
            line = json.dumps(_told(entry), separators=(",", ":"), ensure_ascii=False) + "\n"
            os.write(self._file, line.encode())
            os.fsync(self._file)
            self._entries.append(entry)
            self._known.add(entry)
            return True

    def entries(self, namespace: str | None = None, model: str | None = None, since: float = 0.0) -> tuple[Entry, ...]:
        """Return what happened, in order of time; of one namespace, of one model, since a moment."""
        with self._lock:
            found = [
                entry
                for entry in self._entries
                if namespace in (None, entry.namespace) and model in (None, entry.model) and entry.time >= since
            ]
        return tuple(sorted(found, key=lambda entry: entry.time))

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def parse(lines: Iterable[bytes]) -> Iterable[Entry]:
    """Read lines; one that is no entry is passed over."""
    for line in lines:
        try:
            content = json.loads(line)
            entry = Entry(**{key: value for key, value in content.items() if key in _FIELDS})
            entry.time  # noqa: B018 - a wrong time is noticed here, not by a reader
        except (ValueError, TypeError, AttributeError):
            continue
        yield entry


def as_json(entry: Entry) -> dict[str, Any]:
    """Return an entry with all its fields."""
    return asdict(entry)


def _told(entry: Entry) -> dict[str, Any]:
    """Leave out what is not known."""
    return {key: value for key, value in asdict(entry).items() if value not in ("", None, False)}


def of_message(at: float, namespace: str, model: str, message: str, **known: Any) -> Entry | None:
    """Make an entry of what Flagger said; None where it says that nothing happened."""
    message = message.strip()
    if _IDLE.match(message):
        return None
    for pattern, kind in _KINDS:
        if match := re.match(pattern, message):
            weight = match.groupdict().get("weight")
            known = {**known, "weight": int(weight) if weight else known.get("weight")}
            return Entry(stamp(at), namespace, model, kind, message, **known)
    return Entry(stamp(at), namespace, model, "note", message, **known)
