"""Pins: the releases that an environment runs."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field, model_validator

from slipway import documents
from slipway.documents import Frozen, Sorted
from slipway.errors import SlipwayError, at
from slipway.models.release import Release, ReleaseId, Releases


class Rejection(Frozen):
    """A release that is never deployed again."""

    release: ReleaseId
    reason: str


class Pin(Frozen):
    """The releases of one model in an environment."""

    stable: ReleaseId
    candidate: ReleaseId | None = None
    rejected: tuple[Rejection, ...] = ()
    #: The reason why no release may move; None lets releases move.
    hold: str | None = None

    @model_validator(mode="after")
    def _two_releases(self) -> Pin:
        if self.candidate == self.stable:
            raise ValueError(f"expected a candidate other than the stable release {self.stable}")
        return self


class Pins(Frozen):
    """One `pins/<environment>.yaml`."""

    written_by_slipway: ClassVar[bool] = True

    environment: str = Field(min_length=1)
    models: Sorted[str, Pin] = Field(default_factory=dict)


def load_pins(path: Path) -> Pins:
    """Read the pins of one environment.

    Raises:
        SlipwayError: The file does not fit, or is named after another environment.
    """
    pins = documents.read(path, Pins)
    if pins.environment != path.stem:
        where = at(documents.display(path), documents.line_of(path, "environment"), "environment")
        raise SlipwayError(f"{where}expected the file's own name {path.stem!r}, got {pins.environment!r}")
    return pins


def pinned(path: Path, pins: Pins, model: str, releases: Releases) -> tuple[Release, Release | None]:
    """Return the stable release of a model and its candidate, if it has one; messages name `path`.

    Raises:
        SlipwayError: The model has no pin, or the pin names a release that is not there.
    """
    pin = pins.models.get(model)
    if pin is None:
        where = at(documents.display(path), documents.line_of(path, "models"), f"models.{model}")
        raise SlipwayError(f"{where}missing; expected the stable release of models/{model}.yaml")

    def load(field: str, release_id: str) -> Release:
        release = releases.find(model, release_id)
        if release is None:
            line = documents.line_of(path, "models", model, field)
            where = at(documents.display(path), line, f"models.{model}.{field}")
            near = releases.nearest(model, release_id)
            known = f"nearest are {', '.join(near)}" if near else "the model has none"
            folder = documents.display(releases.directory / model)
            raise SlipwayError(f"{where}unknown release {release_id}; expected one of {folder}/: {known}")
        return release

    return load("stable", pin.stable), load("candidate", pin.candidate) if pin.candidate else None


def settled(pin: Pin, live: str) -> Pin:
    """Return a pin whose stable release is `live`; another candidate stays unless it was rejected."""
    gone = {live, *(each.release for each in pin.rejected)}
    return pin.model_copy(update={"stable": live, "candidate": None if pin.candidate in gone else pin.candidate})


def rejected(pin: Pin, release: str, reason: str, *, serves: bool, stable: str | None = None) -> Pin:
    """Return a pin in which a release is rejected.

    Args:
        reason: Kept from the first rejection.
        serves: Whether users get the release: then it stays the candidate until the stable release has taken over.
        stable: The replacement, if the rejected release is the stable one.
    """
    known = any(each.release == release for each in pin.rejected)
    rejections = pin.rejected if known else (*pin.rejected, Rejection(release=release, reason=reason))
    kept = None if pin.candidate == release else pin.candidate
    return pin.model_copy(
        update={"stable": stable or pin.stable, "candidate": release if serves else kept, "rejected": rejections}
    )
