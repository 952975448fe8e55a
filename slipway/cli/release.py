"""`slipway release`: registry versions, frozen into files."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway.cli.options import AnyModel, Json, Model
from slipway.cli.output import short, show, show_json
from slipway.cli.project import release_of, releases, spec_of, specs, use_lab_registry
from slipway.documents import display, dump
from slipway.errors import SlipwayError
from slipway.registry import Registry, verify

app = typer.Typer(
    help="Registry versions, frozen into releases/<model>/<id>.yaml.", no_args_is_help=True, add_completion=False
)

ReleaseArgument = Annotated[str, typer.Argument(metavar="RELEASE", help="Id of a release, as v2-0123456789ab.")]


@app.command("create")
def create(
    model: Model,
    version: Annotated[int | None, typer.Option(help="The registry version.", min=1)] = None,
    alias: Annotated[str | None, typer.Option(help="The alias that names the version, as `champion`.")] = None,
    as_json: Json = False,
) -> None:
    """Freeze one version; writing the same version again changes nothing."""
    if (version is None) == (alias is None):
        raise SlipwayError("release create: expected one of --version or --alias")
    use_lab_registry()
    spec, registry = spec_of(model), Registry(None)
    if version is not None:
        release = registry.release_of(spec, version)
    else:
        release = registry.resolve({model: spec}, str(alias))[model]
    path = releases().write(release)
    if as_json:
        show_json({"model": model, "release": release.id, "file": display(path), "digest": release.artifact.digest})
    else:
        print(f"{display(path)}: {release.id} is version {release.version} of {release.registry.registered_model}")


@app.command("list")
def list_releases(
    model: AnyModel = None,
    as_json: Json = False,
) -> None:
    """List the frozen releases."""
    frozen = releases()
    rows = [
        {
            "model": name,
            "release": release.id,
            "version": release.version,
            "digest": release.artifact.digest if as_json else short(release.artifact.digest),
            "git commit": release.git_commit if as_json else release.git_commit[:12],
            "metrics": dict(release.metrics),
        }
        for name in ([spec_of(model).name] if model else specs())
        for release in (frozen.find(name, release_id) for release_id in frozen.ids(name))
        if release is not None
    ]
    show(rows, as_json)


@app.command("show")
def show_release(model: Model, release: ReleaseArgument, as_json: Json = False) -> None:
    """Show everything that a release freezes."""
    found = release_of(spec_of(model).name, release)
    if as_json:
        show_json(found.model_dump(mode="json"))
    else:
        print(dump(found), end="")


@app.command("verify")
def verify_releases(
    model: AnyModel = None,
    release: Annotated[str | None, typer.Argument(metavar="[RELEASE]", help="Id of a release; all without it.")] = None,
    as_json: Json = False,
) -> None:
    """Hash the stored bytes of releases again, and compare; exit code 2 at the first that differs."""
    use_lab_registry()
    rows = []
    for name in [spec_of(model).name] if model else specs():
        for release_id in [release] if release else releases().ids(name):
            found = release_of(name, release_id)
            verify(found)
            rows.append({"model": name, "release": found.id, "digest": found.artifact.digest, "state": "as pinned"})
    show(rows, as_json)
