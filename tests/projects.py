"""Project directories with model specs, releases and pins, for tests that run the program."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from builders import a_spec

from slipway import documents
from slipway.models.pins import Pin, Pins
from slipway.models.release import Release, Releases
from slipway.models.spec import ModelSpec

CHECKOUT = Path(__file__).resolve().parents[1]

#: What a copy of the project shares with the checkout.
CODE = ("__main__.py", "stacks", "components", "slipway")
#: What a copy leaves out: rendering its charts takes a second, AWS would have
#: to be asked; few tests are about them.
PLATFORM = re.compile(r"^  slipway:platform:\n(?:    .*\n)*|^    eks:\n(?:      .*\n)*", re.MULTILINE)


class Project:
    """A copy of this project with models of its own.

    Args:
        root: An empty directory.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in CODE:
            (root / name).symlink_to(CHECKOUT / name)
        for file in CHECKOUT.glob("Pulumi*.yaml"):
            (root / file.name).write_text(PLATFORM.sub("", file.read_text()))
        (root / "models").mkdir(exist_ok=True)

    def spec(self, name: str, **changes: object) -> ModelSpec:
        """Write a model spec."""
        spec = a_spec(name, **{"registered_model": name, **changes})
        documents.write(self.root / "models" / f"{name}.yaml", spec)
        return spec

    def releases(self, releases: Iterable[Release]) -> None:
        """Write releases."""
        for release in releases:
            Releases(self.root / "releases").write(release)

    def pins(self, environment: str, **models: Pin) -> Path:
        """Write the pins of an environment; an underscore stands for a hyphen."""
        path = self.root / "pins" / f"{environment}.yaml"
        by_name = {name.replace("_", "-"): pin for name, pin in models.items()}
        documents.write(path, Pins(environment=environment, models=by_name))
        return path

    def pinned(self, stable: Release, candidate: Release | None = None, *, environment: str = "staging") -> None:
        """Write a model with its spec, its releases, and the pins of an environment that has no other."""
        self.spec(stable.model)
        self.releases(filter(None, (stable, candidate)))
        pin = Pin(stable=stable.id, candidate=candidate.id if candidate else None)
        self.pins(environment, **{stable.model: pin})
