"""The commands `slipway lab …`."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from slipway.cli.options import Json
from slipway.cli.output import show_json
from slipway.errors import ExitCode, SlipwayError
from slipway.lab import lifecycle, platform
from slipway.lab.paths import Paths, project_directory
from slipway.progress import say

app = typer.Typer(
    help="The embedded cluster: up, down, status, logs, reset.", no_args_is_help=True, add_completion=False
)


@app.command()
def up(
    parts: Annotated[
        list[str] | None,
        typer.Option("--with", help="Parts of the platform to install too, also into a lab that runs: kyverno, …"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Start the lab; exit code 4 where it runs already, unless something is to be installed into it."""
    project, chosen = project_directory(), platform.wanted(parts or ())
    # Progress is for people: with --json it moves to stderr.
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        platform.ensure_tools(chosen)
        facts = (lifecycle.running(project) if chosen else None) or lifecycle.up(project, say)
        if chosen:
            platform.deploy(project, chosen)
    if as_json:
        found = lifecycle.status(project)
        show_json({**asdict(found), "ready": found.ready})
        return
    say(f"  API server {facts.url('api')}, gateway {facts.url('gateway')}, object store {facts.url('s3')}")
    say(f"  for your shell: source {os.path.relpath(Paths(project).env)}")


@app.command()
def down(as_json: Json = False) -> None:
    """Stop the lab; its state stays."""
    stopped = lifecycle.down(project_directory())
    if as_json:
        show_json({"stopped": stopped})
        return
    say("  ✓ lab: stopped" if stopped else "  ✓ lab: none is running")


@app.command()
def reset(
    stop: Annotated[bool, typer.Option("--down", help="Stop the lab first, if it runs.")] = False,
    as_json: Json = False,
) -> None:
    """Wipe the lab's state: cluster, registry, object store, Pulumi's state."""
    project = project_directory()
    if stop:
        lifecycle.down(project)
    lifecycle.reset(project)
    if as_json:
        show_json({"wiped": str(project)})
        return
    say("  ✓ lab: state wiped")


@app.command()
def status(as_json: Json = False) -> None:
    """Show each component; exit code 1 unless all of them are ready."""
    found = lifecycle.status(project_directory())
    if as_json:
        show_json({**asdict(found), "ready": found.ready})
    elif not found.running:
        typer.echo("lab: not running; start it with `slipway lab up`")
    else:
        typer.echo(f"lab of {found.project}: {'ready' if found.ready else 'not ready'}, process {found.supervisor}")
        for name, url in found.urls.items():
            typer.echo(f"  {name:<24} {url}")
        for part in found.components:
            restarts = f"  restarted {part.restarts} times" if part.restarts else ""
            memory = part.memory_bytes >> 20
            typer.echo(f"  {part.name:<24} {part.state:<10} pid {part.pid:<8} {memory:>5} MiB{restarts}")
    raise typer.Exit(ExitCode.OK if found.ready else ExitCode.NO)


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="A component, a pod, <pod>/<container>; none lists them.")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.")] = 100,
    as_json: Json = False,
) -> None:
    """Print the end of a log."""
    files = lifecycle.log_files(project_directory())
    if name is None:
        show_json(list(files)) if as_json else typer.echo("\n".join(files))
        return
    chosen = [known for known in files if known == name or known.startswith(f"{name}/")]
    if not chosen:
        raise SlipwayError(f"lab: no log named {name!r}; `slipway lab logs` lists them")
    ends = {known: files[known].read_text(errors="replace").splitlines()[-lines:] for known in chosen}
    if as_json:
        show_json(ends)
        return
    for known, end in ends.items():
        if len(ends) > 1:
            typer.echo(f"==> {known} <==")
        for line in end:
            typer.echo(line)
