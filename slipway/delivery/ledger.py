"""The ledger of an environment: operators' actions on releases, one line of JSON each.

An environment with pins has `ledger/<environment>.jsonl` in the checkout, committed and reviewed together with the
pins. An environment that follows an alias has its file under `.slipway/`, not reviewed: there the tags of the registry
decide.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from slipway.documents import Frozen, alone, display
from slipway.errors import SlipwayError, at
from slipway.settings.environment import Environment

#: Version of the entries that are written. Version 1 had no key `schema`, and called the action `deed`.
SCHEMA = 2

Action = Literal["settled", "rejected", "aborted", "retried"]


class Entry(Frozen):
    """An operator's action on a release."""

    #: ISO 8601 in UTC.
    at: str
    action: Action
    model: str
    #: The release acted on; empty if the cluster could not name it.
    release: str
    version: int
    #: The release that served until then, or serves again.
    other: str = ""
    reason: str = ""
    #: Path of the incident.
    incident: str = ""
    #: `user@host`.
    who: str = ""
    #: Commit of the checkout.
    git_commit: str = ""


def home(project: Path, environment: Environment) -> Path:
    """Return the directory of ledgers and incidents: the checkout for environments with pins, else `.slipway`."""
    return project if environment.releases == "pinned" else project / ".slipway"


def path_of(project: Path, environment: Environment) -> Path:
    """Return the path of an environment's ledger."""
    return home(project, environment) / "ledger" / f"{environment.name}.jsonl"


def entries(path: Path) -> Iterator[Entry]:
    """Read a ledger, oldest first; a line that a crash cut off is skipped.

    Raises:
        SlipwayError: A line is not an entry.
    """
    if not path.is_file():
        return
    lines = path.read_text().split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if isinstance(content, dict) and (schema := content.pop("schema", 1)) == 1:
            content = {"action" if key == "deed" else key: value for key, value in content.items()}
        elif isinstance(content, dict) and schema != SCHEMA:
            where = at(display(path), number, "schema")
            raise SlipwayError(f"{where}expected {SCHEMA}, got {schema!r}; a newer slipway wrote it: update this one")
        try:
            yield Entry.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = at(display(path), number, ".".join(map(str, first["loc"])) or None)
            raise SlipwayError(f"{where}{first['msg']}; the ledger is only appended to: restore it from Git") from None


def note(path: Path, entry: Entry) -> bool:
    """Append an entry, unless it repeats the model's last action and release; return whether it was appended."""
    with alone(path.parent):
        last = next((each for each in reversed(list(entries(path))) if each.model == entry.model), None)
        if last and (last.action, last.release, last.version) == (entry.action, entry.release, entry.version):
            return False
        torn = path.is_file() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
        content = {"schema": SCHEMA, **entry.model_dump(exclude_defaults=True)}
        line = ("\n" if torn else "") + json.dumps(content, separators=(",", ":"), ensure_ascii=False) + "\n"
        # One write, so that a killed process leaves a whole line or none.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return True


def who() -> str:
    """Return `user@host` of this process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def commit_of(project: Path) -> str:
    """Return the checkout's commit; empty outside Git."""
    with suppress(OSError):
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""
    return ""
