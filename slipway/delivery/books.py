"""The records about one model: the pins or, if the environment follows an alias, the registry; and the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from slipway import documents
from slipway.delivery import ledger
from slipway.delivery.acts import Recorded
from slipway.delivery.ledger import Action, Entry
from slipway.delivery.recorded import of_pin, of_registry
from slipway.errors import ExitCode, SlipwayError, at
from slipway.models.pins import Pin, load_pins, rejected, settled
from slipway.models.release import Release, Releases, version_of
from slipway.models.spec import ModelSpec
from slipway.planning import regions
from slipway.registry import Registry
from slipway.registry.aliases import move_alias
from slipway.registry.connection import Connection, named
from slipway.registry.rejections import reject_version
from slipway.rollout.state import RolloutState
from slipway.settings.checkout import Checkout
from slipway.settings.environment import Environment, path_of
from slipway.times import iso


@dataclass(eq=False)
class Books:
    """Records of one model in one environment, for one command: read once, then updated by the command's writes."""

    project: Path
    environment: Environment
    spec: ModelSpec

    @property
    def pinned(self) -> bool:
        """Whether pins name the releases to run."""
        return self.environment.releases == "pinned"

    @property
    def pins_file(self) -> Path:
        """The environment's pins."""
        return path_of(self.project, self.environment)

    @property
    def ledger_file(self) -> Path:
        """The environment's ledger."""
        return ledger.path_of(self.project, self.environment)

    def elsewhere(self) -> dict[str, int]:
        """Return the version of the model that each other stack of the same pins serves.

        Raises:
            SlipwayError: The cluster of a stack cannot be reached.
        """
        return regions.others(Checkout(self.project), self.environment, self.spec.name) if self.pinned else {}

    @cached_property
    def registry(self) -> Registry:
        """The registry of the environment's releases.

        Raises:
            SlipwayError: No registry is configured, or its settings do not fit.
        """
        return Registry(self.environment.registry.tracking_uri)

    @cached_property
    def entries(self) -> list[Entry]:
        """The ledger's entries about the model, oldest first.

        Raises:
            SlipwayError: A line is not an entry.
        """
        return [each for each in ledger.entries(self.ledger_file) if each.model == self.spec.name]

    @cached_property
    def _pin(self) -> Pin | None:
        return load_pins(self.pins_file).models.get(self.spec.name) if self.pins_file.exists() else None

    @cached_property
    def _followed(self) -> Recorded:
        try:
            return of_registry(self.registry, self.environment, {self.spec.name: self.spec})[self.spec.name]
        except SlipwayError as error:
            if error.exit_code is not ExitCode.UNREACHABLE:
                raise
            return Recorded()

    def recorded(self) -> Recorded:
        """Return the recorded versions; a registry that cannot be reached counts as empty.

        Raises:
            SlipwayError: A file does not fit.
        """
        settled = next((each.version for each in reversed(self.entries) if each.action == "settled"), None)
        return of_pin(self._pin, settled) if self.pinned else replace(self._followed, settled=settled)

    def pin(self) -> Pin:
        """Return the model's pin.

        Raises:
            SlipwayError: The model has no pin.
        """
        if self._pin is None:
            where = at(documents.display(self.pins_file), None, f"models.{self.spec.name}")
            raise SlipwayError(f"{where}missing, yet {self.environment.name} serves it; pin what is stable")
        return self._pin

    def release_id(self, state: RolloutState, version: int) -> str:
        """Return the release of a version, from the pins, the ledger, the cluster or `releases/`, in this order.

        Raises:
            SlipwayError: The environment has pins, and no source names a release of the version.
        """
        if not self.pinned:
            return state.release(version)
        pin = self.pin()
        named = [pin.candidate, pin.stable, *(each.release for each in pin.rejected)]
        named += [release for entry in reversed(self.entries) for release in (entry.release, entry.other)]
        named += [state.release(version), *Releases(self.project / "releases").ids(self.spec.name)]
        found = next((each for each in named if each and version_of(each) == version), None)
        if found is None:
            raise SlipwayError(
                f"{self.spec.name}: releases/{self.spec.name}/ has none of v{version}; restore it from Git"
            )
        return found

    def release(self, release_id: str, version: int) -> Release | None:
        """Return the contents of a release; None if it cannot be read."""
        try:
            if self.pinned:
                return Releases(self.project / "releases").find(self.spec.name, release_id)
            return self.registry.running({self.spec.name: self.spec}, {self.spec.name: version})[self.spec.name]
        except SlipwayError:
            return None

    def settle(self, release_id: str) -> str:
        """Make a release the stable one in the pins; does nothing if the environment follows an alias."""
        if not self.pinned:
            return ""
        if Releases(self.project / "releases").find(self.spec.name, release_id) is None:
            raise SlipwayError(
                f"{self.spec.name}: v{version_of(release_id)} serves, but there is no releases/{self.spec.name}/"
                f"{release_id}.yaml to pin it to; restore it from Git"
            )
        return self._write(lambda pin: settled(pin, release_id), f"stable is {release_id}")

    def reject(self, release_id: str, version: int, reason: str, *, serves: bool, back: str) -> str:
        """Record a release as rejected; the first reason stays.

        Args:
            release_id: The rejected release; empty if it is unknown.
            version: Its version.
            reason: Why it is rejected.
            serves: Whether users get it at present.
            back: The release to serve instead.
        """
        said = f"{release_id or f'v{version}'} is rejected: {reason}"
        if self.pinned:
            queued = self.pin().candidate
            if serves and queued not in (None, release_id, back):
                said += f"; {queued} has left the pins for that: pin it again when {back} serves"
            stable = back if self.pin().stable == release_id else None
            return self._write(lambda pin: rejected(pin, release_id, reason, serves=serves, stable=stable), said)
        uri, model = self.environment.registry.tracking_uri, self.spec.registered_model
        self._followed = replace(self._followed, rejected={version: reason, **self._followed.rejected})
        new = reject_version(uri, model, self.environment.name, version, reason)
        return f"registry: {said}" if new else ""

    def move_alias(self, version: int, *, only_from: int | None = None) -> str:
        """Point the environment's alias to a version; with `only_from`, only if it names that version now."""
        if self.pinned and named(self.environment.registry.tracking_uri) is None:
            return ""
        uri, model, alias = self.environment.registry.tracking_uri, self.spec.registered_model, self.environment.alias
        if only_from is not None and Connection(uri).aliases().get(model, {}).get(alias) != only_from:
            return ""
        before = move_alias(uri, model, alias, version)
        if "_followed" in vars(self):
            self._followed = replace(self._followed, wanted=version)
        was = f" (was {before})" if before else ""
        return "" if before == version else f"registry: {alias} names version {version}{was}"

    def note(
        self, action: Action, release_id: str, version: int, *, other: str, reason: str, now: float, incident: str = ""
    ) -> str:
        """Append an entry to the ledger, unless it repeats the model's last one."""
        entry = Entry(
            at=iso(now),
            action=action,
            model=self.spec.name,
            release=release_id,
            version=version,
            other=other,
            reason=reason,
            incident=incident,
            who=ledger.who(),
            git_commit=ledger.commit_of(self.project),
        )
        if not ledger.note(self.ledger_file, entry):
            return ""
        self.entries.append(entry)
        return f"{documents.display(self.ledger_file)}: {action} {release_id or f'v{version}'}"

    def _write(self, change: Callable[[Pin], Pin], said: str) -> str:
        with documents.alone(self.pins_file.parent):
            # Another command may have changed the file since it was read.
            pins = load_pins(self.pins_file)
            self._pin = pins.models.get(self.spec.name)
            before = self.pin()
            after = change(before)
            if after == before:
                return ""
            documents.write(self.pins_file, pins.model_copy(update={"models": {**pins.models, self.spec.name: after}}))
            self._pin = after
        return f"{documents.display(self.pins_file)}: {said}"
