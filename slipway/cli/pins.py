"""`slipway pins`: which releases an environment runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from slipway import documents
from slipway.cli.options import Json, Model, Stack, WithEnvironment
from slipway.cli.output import show, show_json
from slipway.cli.project import project, release_of, releases, spec_of, specs
from slipway.documents import nearest
from slipway.errors import SlipwayError, at
from slipway.models.pins import Pin, Pins, load_pins, pinned
from slipway.settings.environment import path_of
from slipway.settings.stack_file import read_environment

app = typer.Typer(
    help="Which releases an environment runs: pins/<environment>.yaml.", no_args_is_help=True, add_completion=False
)


@app.command("show", cls=WithEnvironment)
def show_pins(stack: Stack, as_json: Json = False) -> None:
    """Show what each model is pinned to."""
    pins = load_pins(_path(stack))
    if as_json:
        show_json(pins.model_dump(mode="json"))
        return
    show([_row(model, pin) for model, pin in pins.models.items()], as_json=False)


@app.command("set", cls=WithEnvironment)
def set_pin(
    model: Model,
    release: Annotated[str, typer.Argument(help="Id of a release, as v2-0123456789ab.")],
    stack: Stack,
    candidate: Annotated[bool, typer.Option("--candidate", help="Try it in a rollout; without: it is stable.")] = False,
    as_json: Json = False,
) -> None:
    """Pin a model to a release; the file is then reviewed as any other change is."""
    path = _path(stack)
    name = spec_of(model).name
    release_of(name, release)
    pins = load_pins(path) if path.exists() else Pins(environment=path.stem)
    pin = changed_pin(f"pins/{path.name}: models.{name}", pins.models.get(name), release, candidate)
    changed = Pins(environment=path.stem, models={**pins.models, name: pin})
    if changed != pins:
        documents.write(path, changed)
    if as_json:
        show_json({"environment": stack, "model": name, **pin.model_dump(mode="json")})
    else:
        print(f"{documents.display(path)}: {name}: stable {pin.stable}, candidate {pin.candidate or 'none'}")


@app.command("verify", cls=WithEnvironment)
def verify_pins(
    stack: Annotated[str | None, typer.Option("--stack", "-s", help="The environment; all without it.")] = None,
    as_json: Json = False,
) -> None:
    """Check that the pins name models with releases that are there, unedited."""
    known, frozen, rows = specs(), releases(), []
    paths = [_path(stack)] if stack else sorted((project() / "pins").glob("*.yaml"))
    for path in paths:
        pins = load_pins(path)
        _refuse_strangers(path, pins, known)
        for name in known:
            row: dict[str, Any] = {"environment": pins.environment, "model": name}
            if name in pins.models:
                pinned(path, pins, name, frozen)
                row |= {**_row(name, pins.models[name]), "state": "as frozen"}
            else:
                row |= {"state": "not pinned, so it does not run there"}
            rows.append(row)
    show(rows, as_json, ("environment", "model", "stable", "candidate", "rejected", "hold", "state"))


def changed_pin(where: str, pin: Pin | None, release: str, candidate: bool) -> Pin:
    """Say what a pin becomes.

    Args:
        where: File and field, for messages.
        pin: What it is; None where the model has none.
        release: The id that is wanted.
        candidate: Whether it is to be tried, not trusted.

    Raises:
        SlipwayError: The release was rejected, the model is on hold, or there is nothing stable to compare with.
    """
    if pin is None:
        if candidate:
            raise SlipwayError(f"{where}: no stable release to compare a candidate with; pin one without --candidate")
        return Pin(stable=release)
    if pin.hold is not None:
        raise SlipwayError(f"{where}.hold: nothing may move: {pin.hold}; remove the hold first")
    rejection = next((each for each in pin.rejected if each.release == release), None)
    if rejection is not None:
        raise SlipwayError(f"{where}.rejected: {release} was rejected: {rejection.reason}; register a better version")
    if not candidate:
        return pin.model_copy(update={"stable": release, "candidate": None})
    if release == pin.stable:
        raise SlipwayError(f"{where}.candidate: {release} is the stable release already; nothing to try")
    return pin.model_copy(update={"candidate": release})


def _path(stack: str) -> Path:
    stacks = {path.name.split(".")[1] for path in project().glob("Pulumi.*.yaml")}
    if stack not in stacks:
        near = nearest(stack, sorted(stacks))
        hint = f"nearest is {near}" if near else f"there are {', '.join(sorted(stacks)) or 'none'}"
        raise SlipwayError(f"Pulumi.{stack}.yaml: no such environment; {hint}")
    return path_of(project(), read_environment(project(), stack))


def _refuse_strangers(path: Path, pins: Pins, known: Any) -> None:
    for name in pins.models:
        if name not in known:
            where = at(documents.display(path), documents.line_of(path, "models", name), f"models.{name}")
            raise SlipwayError(f"{where}no model spec models/{name}.yaml; add it, or remove the pin")


def _row(model: str, pin: Pin) -> dict[str, Any]:
    return {
        "model": model,
        "stable": pin.stable,
        "candidate": pin.candidate,
        "rejected": [each.release for each in pin.rejected],
        "hold": pin.hold,
    }
