"""`slipway models`: what the registry has of the project's models."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from slipway.cli.options import Json, Model
from slipway.cli.output import short, show, show_json
from slipway.cli.project import spec_of, specs, use_lab_registry
from slipway.errors import ExitCode, SlipwayError
from slipway.registry import Registry
from slipway.registry.aliases import move_alias
from slipway.registry.connection import Connection

app = typer.Typer(help="What the registry has of the project's models.", no_args_is_help=True, add_completion=False)

#: Versions that `show` looks at: each one's artifacts are hashed, once.
SHOWN_VERSIONS = 10


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """List the models, with their versions and aliases."""
    use_lab_registry()
    known, connection = specs(), Connection(None)
    aliases, versions = connection.aliases(), connection.versions()
    rows = []
    for name, spec in known.items():
        numbers = sorted(version.version for version in versions if version.name == spec.registered_model)
        rows.append(
            {
                "model": name,
                "registered model": spec.registered_model,
                "versions": numbers,
                "aliases": dict(sorted(aliases.get(spec.registered_model, {}).items())),
                "owner": spec.owner,
            }
        )
    show(rows, as_json)


@app.command("show")
def show_model(model: Model, as_json: Json = False) -> None:
    """Show a model's newest versions: what each would be as a release, and whether its gates let it."""
    use_lab_registry()
    spec, connection, registry = spec_of(model), Connection(None), Registry(None)
    aliases = connection.aliases().get(spec.registered_model, {})
    numbers = sorted(each.version for each in connection.versions() if each.name == spec.registered_model)
    rows: list[dict[str, Any]] = []
    for number in numbers[-SHOWN_VERSIONS:]:
        row: dict[str, Any] = {
            "version": number,
            "aliases": sorted(alias for alias, version in aliases.items() if version == number),
        }
        try:
            release = registry.running({model: spec}, {model: number})[model]
            row |= {"release": release.id, "digest": release.artifact.digest, "metrics": dict(release.metrics)}
            registry.release_of(spec, number)
            row["gates"] = "pass"
        except SlipwayError as error:
            if error.exit_code is ExitCode.UNREACHABLE:
                raise
            row["gates"] = str(error)
        rows.append(row)
    if as_json:
        show_json({"model": model, "registered_model": spec.registered_model, "versions": rows})
    else:
        columns = ("version", "aliases", "release", "digest", "metrics", "gates")
        show([row | {"digest": short(row.get("digest", "-"))} for row in rows], as_json=False, columns=columns)


@app.command("alias")
def set_alias(
    model: Model,
    alias: Annotated[str, typer.Argument(help="The alias, as `champion`.")],
    version: Annotated[int, typer.Argument(help="The registry version that it shall name.", min=1)],
    as_json: Json = False,
) -> None:
    """Point an alias of the registry at a version."""
    use_lab_registry()
    name = spec_of(model).registered_model
    before = move_alias(None, name, alias, version)
    if as_json:
        show_json({"registered_model": name, "alias": alias, "before": before, "version": version})
    else:
        was = f"was version {before}" if before else "is new"
        print(f"{name}: {alias} names version {version} ({was}); `slipway preview` shows what follows from it")
