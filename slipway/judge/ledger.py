"""What happened in rollouts, as lines that are only ever added.

One JSON object a line, each on disk before it is answered that it is noted. A line that a crash has torn is passed
over when the file is read, and ends where the next one begins.
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
#: How version 1 noted that a candidate was allowed to all users: as a note with these words.
_VETTED = "may be promoted"


@dataclass(frozen=True)
class Entry:
    """One thing that happened.

    Args:
        at: ISO 8601, UTC, to the millisecond.
        namespace: Of the model.
        model: Its name.
        kind: What the rollout did (rollout.messages.Kind), `vetted` where the candidate was allowed to all users, else
            `note`.
        message: What happened, for people.
        phase: Flagger's phase from then on, where known.
        weight: Percent of the traffic that the candidate had then, where known.
        candidate: InferenceService, where known.
        run: When the rollout began, as `at`: the judge's own entries have it, what Flagger reports has not.
        cause: What a decision of the judge's is about, in a word; empty for what Flagger reports.
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
    cause: str = ""
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
            yield entry_of(json.loads(line))
        except ValueError:
            continue


def entry_of(content: Any) -> Entry:
    """Read one entry, of this version or of an older one, from its JSON.

    The kind that was stored is believed, also where the table of today reads Flagger's sentence differently: counters
    and reports that were made of it keep their meaning, and the judge's own entries beside it have the reasons. Two
    things that version 1 said in words only are mapped: the note that a candidate may be promoted is `vetted`, and the
    message of an abort is the operator's reason alone.

    Raises:
        ValueError: It is no entry.
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
        entry.time  # noqa: B018 - a wrong time is noticed here, not by a reader
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from None
    return entry


def as_json(entry: Entry) -> dict[str, Any]:
    """Return an entry with all its fields."""
    return {"schema": SCHEMA, **asdict(entry)}


def of_message(at: float, namespace: str, model: str, message: str, **known: Any) -> Entry | None:
    """Make an entry of what Flagger reports; None where that says that nothing happened."""
    message = message.strip()
    meaning = messages.read(message)
    if meaning.idle:
        return None
    known |= {"phase": meaning.phase or known.get("phase", "")}
    weight = meaning.weight if meaning.weight is not None else known.pop("weight", None)
    return Entry(stamp(at), namespace, model, meaning.kind or "note", message, weight=weight, **known)
