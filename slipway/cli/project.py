"""The project that a command is run in."""

from __future__ import annotations

import os
from pathlib import Path

from slipway.documents import nearest
from slipway.errors import SlipwayError
from slipway.lab import shell, state
from slipway.lab.paths import Paths, project_directory
from slipway.models.release import Release, Releases
from slipway.models.spec import ModelSpec, load_model_specs

#: The stack whose cluster is the lab.
LAB_STACK = "local"


def project() -> Path:
    """Return the project's directory."""
    return project_directory()


def specs() -> dict[str, ModelSpec]:
    """Read all model specs of the project."""
    return load_model_specs(project() / "models")


def spec_of(model: str) -> ModelSpec:
    """Read one model spec.

    Raises:
        SlipwayError: There is none of that name.
    """
    known = specs()
    if model in known:
        return known[model]
    near = nearest(model, list(known))
    hint = f"nearest is {near}" if near else f"there are {', '.join(known) or 'none'}"
    raise SlipwayError(f"models/{model}.yaml: no such model spec; {hint}")


def releases() -> Releases:
    """Return the frozen releases of the project."""
    return Releases(project() / "releases")


def release_of(model: str, release_id: str) -> Release:
    """Read one frozen release.

    Raises:
        SlipwayError: There is none of that id.
    """
    frozen = releases()
    found = frozen.find(model, release_id)
    if found is None:
        near = frozen.nearest(model, release_id)
        hint = (
            f"nearest are {', '.join(near)}" if near else f"freeze one: slipway release create {model} --alias champion"
        )
        raise SlipwayError(f"releases/{model}/{release_id}.yaml: no such release; {hint}")
    return found


def use_lab_registry() -> None:
    """Take the lab's registry where the shell names none: the commands work before `source .slipway/env`."""
    if os.environ.get("MLFLOW_TRACKING_URI"):
        return
    paths = Paths(project())
    if (facts := state.load(paths)) is not None:
        os.environ.update(shell.exports(paths, facts))


def use_lab(stack: str) -> None:
    """Take the lab's settings for its own stack; any other takes the shell's, as `pulumi` itself does."""
    if stack != LAB_STACK:
        return
    paths = Paths(project())
    if (facts := state.load(paths)) is None:
        raise SlipwayError("lab: there is none yet; `slipway lab up` starts it, `slipway demo` also fills it")
    os.environ.update(shell.variables(paths, facts, os.environ))
