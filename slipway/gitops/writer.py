"""Brings a directory to what the tree of an environment shall be.

Only what the index names is ever changed or removed; what a person has changed is refused, not overwritten.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from slipway import documents
from slipway.documents import Frozen
from slipway.errors import SlipwayError, at
from slipway.gitops.tree import Files

#: Lies beside an environment's files and names them all.
INDEX = "index.json"
#: A path that leads nowhere but down: what an index names may be deleted.
Path_ = Annotated[str, Field(pattern=r"^([a-z0-9][-a-z0-9.]*/)+[a-z0-9][-a-z0-9.]*$")]


class Index(Frozen):
    """What was written, file by file.

    Nothing in it depends on when, where, or from which commit, so that the same content is the same bytes.
    """

    written_by: Literal["slipway"] = "slipway"
    environment: str
    #: Digest of each file.
    files: dict[Path_, Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]]


@dataclass(frozen=True)
class Change:
    """What happens to one file; None stands for one that is not there."""

    path: str
    old: str | None
    new: str | None

    @property
    def what(self) -> str:
        """Say it in a word."""
        return "add" if self.old is None else "remove" if self.new is None else "change"


@dataclass(frozen=True)
class Outcome:
    """What a tree becomes.

    Args:
        texts: Every file that it has then.
        changes: The files that are not yet so, by path.
        notices: What a person should know.
    """

    texts: Mapping[str, str]
    changes: tuple[Change, ...]
    notices: tuple[str, ...] = ()


def digest(text: str) -> str:
    """Return the digest of a file's content."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def reconcile(wanted: Files, index: Mapping[str, str], disk: Mapping[str, str]) -> Outcome:
    """Decide what becomes of each file.

    Args:
        wanted: What shall be there.
        index: Path to digest of what was written last.
        disk: Path to text of the files that are there, of those that are wanted or in the index.

    Raises:
        SlipwayError: A file is somebody else's, or not as it was written.
    """
    texts, notices = dict[str, str](), list[str]()
    for path in sorted({*wanted, *index}):
        there, new = disk.get(path), wanted.get(path)
        # A run that was killed has written files that its index does not know: those are as they shall be.
        if there is not None and (new is None or new.text != there) and index.get(path) != digest(there):
            whose = "was changed by hand" if path in index else "is not in the index, so it is not ours"
            raise SlipwayError(f"{path}: {whose}; restore it (git checkout) or take it away, then write the tree again")
        if new is None:
            continue
        texts[path] = there if new.fixed and there is not None else new.text
        if new.fixed and there is None and index.get(path) not in (None, digest(new.text)):
            raise SlipwayError(f"{path}: missing, and it was other than it would be today; restore it (git checkout)")
        if texts[path] != new.text:
            notices.append(f"{path}: its settings have changed since; it stays, and the next version takes them")
    paths = sorted({*texts, *(disk.keys() & index.keys())})
    changes = [Change(path, disk.get(path), texts.get(path)) for path in paths]
    return Outcome(texts, tuple(each for each in changes if each.old != each.new), tuple(notices))


def compare(root: Path, environment: str, wanted: Files) -> Outcome:
    """Say what writing the tree of an environment would change, the index included.

    Raises:
        SlipwayError: As `reconcile`; or the index does not fit.
    """
    path = f"{environment}/{INDEX}"
    index = _read_index(root / path, environment)
    disk = {name: found for name in {*wanted, *index} if (found := _read(root, name)) is not None}
    outcome = reconcile(wanted, index, disk)
    fresh = Index(environment=environment, files={name: digest(found) for name, found in outcome.texts.items()})
    # Without a model there is no tree; an index that is there stays, and says so.
    text = json.dumps(fresh.model_dump(), indent=2, sort_keys=True) + "\n"
    before, after = _read(root, path), text if outcome.texts or index else None
    last = () if before == after else (Change(path, before, after),)
    return Outcome(outcome.texts, (*outcome.changes, *last), outcome.notices)


def write(root: Path, outcome: Outcome) -> None:
    """Make the changes; killed in between, it can be run again."""
    for change in outcome.changes:
        file = root / change.path
        if change.new is not None:
            documents.write_text(file, change.new)
            continue
        file.unlink(missing_ok=True)
        for folder in file.relative_to(root).parents[:-1]:
            if any((root / folder).iterdir()):
                break
            (root / folder).rmdir()


def _read(root: Path, name: str) -> str | None:
    file = root / name
    try:
        if not file.resolve().is_relative_to(root.resolve()):
            raise SlipwayError(f"{name}: leads out of {documents.display(root)}; take the link away")
        return file.read_text() if file.is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        raise SlipwayError(f"{at(documents.display(file))}cannot be read ({error})") from None


def _read_index(file: Path, environment: str) -> dict[str, str]:
    where = at(documents.display(file))
    try:
        index = Index.model_validate_json(file.read_bytes()) if file.exists() else None
    except (OSError, ValidationError):
        raise SlipwayError(f"{where}not an index that slipway wrote; restore it (git checkout)") from None
    if index and (index.environment != environment or any(not p.startswith(f"{environment}/") for p in index.files)):
        raise SlipwayError(f"{where}names files of another environment; restore it (git checkout)")
    return dict(index.files) if index else {}
