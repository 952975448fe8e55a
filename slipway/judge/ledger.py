"""Append-only ledger of what happened in rollouts, one JSON object per line.

Each line is on disk before `add` returns. A line that a crash has cut off is ignored when the file is read.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from slipway.rollout import messages
from slipway.times import epoch, stamp

#: Version of the entries, written into each as `schema`. Entries without it are of version 1.
SCHEMA = 2
#: Words of the note with which version 1 allowed a candidate to all users.
_VETTED = "may be promoted"


@dataclass(frozen=True)
class Entry:
    """One event of a rollout."""

    #: ISO 8601, UTC, to the millisecond.
    at: str
    namespace: str
    model: str
    #: rollout.messages.Kind, `vetted` where the judge allowed the candidate to all users, else `note`.
    kind: str
    message: str
    #: Flagger's phase from then on, if known.
    phase: str = ""
    #: Percent of the traffic that the candidate had, if known.
    weight: int | None = None
    #: InferenceService, if known.
    candidate: str = ""
    #: Start of the rollout, as `at`; only in entries of the judge.
    run: str = ""
    #: Subject of a decision of the judge, in a word; empty for messages of Flagger.
    cause: str = ""
    #: How often it happened, up to `at`.
    count: int = 1
    #: Whether the entry was added later, from the state of the cluster.
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
    """A file of entries, also held in memory; safe for threads of one process. Raises OSError."""

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
        """Append an entry; return False if it is there already."""
        with self._lock:
            if entry in self._known or replace(entry, recovered=False) in self._known:
                return False
            known = {
                key: value for key, value in as_json(entry).items() if value not in ("", None) and value is not False
            }
            line = json.dumps(known, separators=(",", ":"), ensure_ascii=False) + "\n"
            os.write(self._file, line.encode())
            os.fsync(self._file)
            self._entries.append(entry)
            self._known.add(entry)
            return True

    def entries(self, namespace: str | None = None, model: str | None = None, since: float = 0.0) -> tuple[Entry, ...]:
        """Return entries in order of time, optionally of one namespace, of one model, since a moment."""
        with self._lock:
            found = [
                entry
                for entry in self._entries
                if namespace in (None, entry.namespace) and model in (None, entry.model) and entry.time >= since
            ]
        return tuple(sorted(found, key=lambda entry: entry.time))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def parse(lines: Iterable[bytes]) -> Iterable[Entry]:
    """Yield the entries of lines; other lines are ignored."""
    for line in lines:
        try:
            yield entry_of(json.loads(line))
        except ValueError:
            continue


def entry_of(content: Any) -> Entry:
    """Read an entry of this version or of an older one from its JSON. Raises ValueError if it is none.

    The stored kind counts, even where today's table reads Flagger's message differently: counters and reports made
    from it keep their meaning. Two texts of version 1 are mapped: the note that a candidate may be promoted becomes
    `vetted`, and the message of an abort becomes the operator's reason alone.
    """
    if not isinstance(content, dict):
        raise ValueError("expected a JSON object")
    known = {key: value for key, value in content.items() if key in _FIELDS}
    if "schema" not in content:
        kind, message = known.get("kind"), str(known.get("message", ""))
        if kind == "note" and known.get("run") and _VETTED in message:
            known["kind"] = "vetted"
        if kind == "aborted":
            known["message"] = message.partition(": aborted: ")[2] or message
    try:
        entry = Entry(**known)
        entry.time  # noqa: B018 - fail here on a malformed time, not in a reader
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from None
    return entry


def as_json(entry: Entry) -> dict[str, Any]:
    """Return an entry with all its fields."""
    return {"schema": SCHEMA, **asdict(entry)}


def of_message(at: float, namespace: str, model: str, message: str, **known: Any) -> Entry | None:
    """Return the entry of a message of Flagger; None for a message that nothing happened."""
    message = message.strip()
    meaning = messages.read(message)
    if meaning.idle:
        return None
    known |= {"phase": meaning.phase or known.get("phase", "")}
    weight = meaning.weight if meaning.weight is not None else known.pop("weight", None)
    return Entry(stamp(at), namespace, model, meaning.kind or "note", message, weight=weight, **known)
