"""Project files that several steps of one run need, each read at most once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from slipway.errors import SlipwayError
from slipway.models.spec import ModelSpec, load_model_specs
from slipway.settings import stack_file
from slipway.settings.environment import Environment


@dataclass(frozen=True)
class Checkout:
    """A project's directory as one run sees it.

    Args:
        root: Directory of Pulumi.yaml.
    """

    root: Path
    _stacks: dict[str, Environment] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def specs(self) -> dict[str, ModelSpec]:
        """Every model spec by name.

        Raises:
            SlipwayError: There is no directory of specs, or one of them does not fit.
        """
        return load_model_specs(self.root / "models")

    def stack(self, name: str) -> Environment:
        """Return the settings of a stack.

        Raises:
            SlipwayError: There is no such stack, or its settings do not fit.
        """
        if name not in self._stacks:
            self._stacks[name] = stack_file.read_environment(self.root, name)
        return self._stacks[name]

    @cached_property
    def stacks(self) -> tuple[Environment, ...]:
        """Every stack whose settings fit; one whose settings do not fit is refused when it is run itself."""
        found = []
        for name in stack_file.stacks(self.root):
            try:
                found.append(self.stack(name))
            except SlipwayError:
                continue
        return tuple(found)
