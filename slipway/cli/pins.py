"""`slipway pins`: which releases an environment runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slipway.cli.output import Json, show, show_json
from slipway.errors import SlipwayError

if TYPE_CHECKING:
    from slipway.models.pins import Pin, Pins

app = typer.Typer(help="Which releases an environment runs: pins/<environment>.yaml.", no_args_is_help=True)

EnvironmentOption = Annotated[str, typer.Option("--environment", "-e", help="Name of the environment, as `prod`.")]


@app.command("show")
def show_pins(environment: EnvironmentOption, as_json: Json = False) -> None:
    """Show what each model is pinned to."""
    from slipway.models.pins import load_pins

    pins = load_pins(_path(environment))
    if as_json:
        show_json(pins.model_dump(mode="json"))
        return
    show([_row(model, pin) for model, pin in pins.models.items()], as_json=False)


@app.command("set")
def set_pin(
    model: Annotated[str, typer.Argument(help="Name of a model spec: models/<name>.yaml.")],
    release: Annotated[str, typer.Argument(help="Id of a release, as v2-0123456789ab.")],
    environment: EnvironmentOption,
    candidate: Annotated[bool, typer.Option("--candidate", help="Try it in a rollout; without: it is stable.")] = False,
    as_json: Json = False,
) -> None:
    """Pin a model to a release; the file is then reviewed as any other change is."""
    from slipway import documents
    from slipway.cli.project import release_of, spec_of
    from slipway.models.pins import Pins, load_pins

    path = _path(environment)
    name = spec_of(model).name
    release_of(name, release)
    pins = load_pins(path) if path.exists() else Pins(environment=path.stem)
    pin = changed_pin(f"pins/{path.name}: models.{name}", pins.models.get(name), release, candidate)
    changed = Pins(environment=path.stem, models={**pins.models, name: pin})
    if changed != pins:
        documents.write(path, changed)
    if as_json:
        show_json({"environment": environment, "model": name, **pin.model_dump(mode="json")})
    else:
        print(f"{documents.display(path)}: {name}: stable {pin.stable}, candidate {pin.candidate or 'none'}")


@app.command("verify")
def verify_pins(
    environment: Annotated[str | None, typer.Option("--environment", "-e", help="All without it.")] = None,
    as_json: Json = False,
) -> None:
    """Check that the pins name models with releases that are there, unedited."""
    from slipway.cli.project import project, releases, specs
    from slipway.models.pins import load_pins, pinned

    known, frozen, rows = specs(), releases(), []
    paths = [_path(environment)] if environment else sorted((project() / "pins").glob("*.yaml"))
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
    from slipway.models.pins import Pin

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


def _path(environment: str) -> Path:
    from slipway.cli.project import project
    from slipway.documents import nearest
    from slipway.settings.environment import path_of
    from slipway.settings.stack_file import read_environment

    stacks = {path.name.split(".")[1] for path in project().glob("Pulumi.*.yaml")}
    if environment not in stacks:
        near = nearest(environment, sorted(stacks))
        hint = f"nearest is {near}" if near else f"there are {', '.join(sorted(stacks)) or 'none'}"
        raise SlipwayError(f"Pulumi.{environment}.yaml: no such environment; {hint}")
    return path_of(project(), read_environment(project(), environment))


def _refuse_strangers(path: Path, pins: Pins, known: Any) -> None:
    from slipway import documents
    from slipway.errors import at

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
