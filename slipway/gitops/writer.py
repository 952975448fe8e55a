"""The writer of an environment's tree of files.

Only files in the index are changed or removed. A file that was edited by hand is refused, not overwritten.
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

#: Name of the index, in the directory of an environment.
INDEX = "index.json"
#: A path without `..`, because files that an index names may be deleted.
Path_ = Annotated[str, Field(pattern=r"^([a-z0-9][-a-z0-9.]*/)+[a-z0-9][-a-z0-9.]*$")]


class Index(Frozen):
    """Index of the written files.

    It holds no time, place or commit, so equal content gives equal bytes.
    """

    written_by: Literal["slipway"] = "slipway"
    environment: str
    #: Digest of each file.
    files: dict[Path_, Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]]


@dataclass(frozen=True)
class Change:
    """Change of one file; None stands for an absent file."""

    path: str
    old: str | None
    new: str | None

    @property
    def what(self) -> str:
        """The change in one word."""
        return "add" if self.old is None else "remove" if self.new is None else "change"


@dataclass(frozen=True)
class Outcome:
    """Result of writing a tree.

    Args:
        texts: Text of every file by path.
        changes: Changes to the files on disk, by path.
        notices: Notices for the operator.
    """

    texts: Mapping[str, str]
    changes: tuple[Change, ...]
    notices: tuple[str, ...] = ()


def digest(text: str) -> str:
    """Return the digest of a file's content."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def reconcile(wanted: Files, index: Mapping[str, str], disk: Mapping[str, str]) -> Outcome:
    """Decide the change of each file.

    Args:
        wanted: The files to write.
        index: Digests of the files as they were last written, by path.
        disk: Texts of the present files that are wanted or in the index, by path.

    Raises:
        SlipwayError: A file is not in the index, or was edited by hand.
    """
    texts, notices = dict[str, str](), list[str]()
    for path in sorted({*wanted, *index}):
        there, new = disk.get(path), wanted.get(path)
        # A killed run may have written files before the index: those have the wanted text.
        if there is not None and (new is None or new.text != there) and index.get(path) != digest(there):
            whose = "was changed by hand" if path in index else "is not in the index, so slipway did not write it"
            raise SlipwayError(f"{path}: {whose}; restore it (git checkout) or remove it, then write the tree again")
        if new is None:
            continue
        texts[path] = there if new.fixed and there is not None else new.text
        if new.fixed and there is None and index.get(path) not in (None, digest(new.text)):
            raise SlipwayError(f"{path}: missing, and today's text would differ; restore it (git checkout)")
        if texts[path] != new.text:
            notices.append(f"{path}: its settings have changed; the file stays, the next version gets the new settings")
    paths = sorted({*texts, *(disk.keys() & index.keys())})
    changes = [Change(path, disk.get(path), texts.get(path)) for path in paths]
    return Outcome(texts, tuple(each for each in changes if each.old != each.new), tuple(notices))


def compare(root: Path, environment: str, wanted: Files) -> Outcome:
    """Return the changes to the tree of an environment, including its index.

    Raises:
        SlipwayError: A file is not in the index or was edited by hand, or the index does not fit.
    """
    path = f"{environment}/{INDEX}"
    index = _read_index(root / path, environment)
    disk = {name: found for name in {*wanted, *index} if (found := _read(root, name)) is not None}
    outcome = reconcile(wanted, index, disk)
    fresh = Index(environment=environment, files={name: digest(found) for name, found in outcome.texts.items()})
    # Without models there is no tree; an existing index stays, without files.
    text = json.dumps(fresh.model_dump(), indent=2, sort_keys=True) + "\n"
    before, after = _read(root, path), text if outcome.texts or index else None
    last = () if before == after else (Change(path, before, after),)
    return Outcome(outcome.texts, (*outcome.changes, *last), outcome.notices)


def write(root: Path, outcome: Outcome) -> None:
    """Write the changes; after a crash it can be run again."""
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
            raise SlipwayError(f"{name}: leads out of {documents.display(root)}; remove the link")
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
