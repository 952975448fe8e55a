"""Model specs of the service observe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway.documents import display, nearest
from slipway.errors import SlipwayError
from slipway.models.spec import ModelSpec, load_model_spec


@dataclass(frozen=True)
class Specs:
    """Model specs read from a directory.

    An unreadable spec refuses only its own model's predictions.

    Args:
        unreadable: The error of each invalid spec, by name.
        seen: Name, size and modification time of each file, to detect changes.
    """

    directory: Path
    known: Mapping[str, ModelSpec]
    unreadable: Mapping[str, str]
    seen: tuple[tuple[str, int, int], ...]

    def check(self, model: str) -> None:
        """Refuse a model without a spec.

        Raises:
            SlipwayError: The model has no valid spec; names the nearest model, or the spec's error.
        """
        if model in self.known:
            return
        if model in self.unreadable:
            raise SlipwayError(f"the spec of {model!r} cannot be read: {self.unreadable[model]}")
        near = nearest(model, list(self.known))
        hint = f"nearest is {near!r}" if near else f"known are {', '.join(map(repr, self.known)) or 'none'}"
        raise SlipwayError(f"unknown model {model!r}, no spec of it in {display(self.directory)}; {hint}")

    def within(self, model: str) -> float | None:
        """Return the largest difference of a right prediction from its label; None where they must be equal."""
        return self.known[model].objectives.within if model in self.known else None


def read_specs(directory: Path, before: Specs | None = None) -> Specs:
    """Read all specs of a directory, or return `before` where no file has changed since."""
    files = sorted(directory.glob("*.yaml")) if directory.is_dir() else []
    seen = []
    for file in files:
        # It may be replaced after the listing: the next reading sees the new one.
        if file.is_file():
            facts = file.stat()
            seen.append((file.name, facts.st_size, facts.st_mtime_ns))
    if before is not None and before.seen == tuple(seen):
        return before
    known, unreadable = {}, {}
    for file in files:
        try:
            known[file.stem] = load_model_spec(file)
        except SlipwayError as error:
            unreadable[file.stem] = str(error)
    return Specs(directory, known, unreadable, tuple(seen))
