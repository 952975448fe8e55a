"""The commands `slipway lab …`."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Annotated

import typer

from slipway.cli.output import Json, show_json
from slipway.errors import SlipwayError

app = typer.Typer(help="The embedded cluster: up, down, status, logs, reset.", no_args_is_help=True)


@app.command()
def up() -> None:
    """Start the lab; exit code 4 where it runs already."""
    from slipway.lab import lifecycle
    from slipway.lab.paths import Paths, project_directory
    from slipway.progress import say

    project = project_directory()
    facts = lifecycle.up(project, say)
    say(f"  API server {facts.url('api')}, gateway {facts.url('gateway')}, object store {facts.url('s3')}")
    say(f"  for your shell: source {os.path.relpath(Paths(project).env)}")


@app.command()
def down() -> None:
    """Stop the lab; its state stays."""
    from slipway.lab import lifecycle
    from slipway.lab.paths import project_directory
    from slipway.progress import say

    say("  ✓ lab: stopped" if lifecycle.down(project_directory()) else "  ✓ lab: none is running")


@app.command()
def reset(
    stop: Annotated[bool, typer.Option("--down", help="Stop the lab first, if it runs.")] = False,
) -> None:
    """Wipe the lab's state: cluster, registry, object store, Pulumi's state."""
    from slipway.lab import lifecycle
    from slipway.lab.paths import project_directory
    from slipway.progress import say

    project = project_directory()
    if stop:
        lifecycle.down(project)
    lifecycle.reset(project)
    say("  ✓ lab: state wiped")


@app.command()
def status(as_json: Json = False) -> None:
    """Show each component; exit code 1 unless all of them are ready."""
    from slipway.lab import lifecycle
    from slipway.lab.paths import project_directory

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
    raise typer.Exit(0 if found.ready else 1)


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="A component, a pod, <pod>/<container>; none lists them.")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.")] = 100,
) -> None:
    """Print the end of a log."""
    from slipway.lab import lifecycle
    from slipway.lab.paths import project_directory

    files = lifecycle.log_files(project_directory())
    if name is None:
        typer.echo("\n".join(files))
        return
    chosen = [known for known in files if known == name or known.startswith(f"{name}/")]
    if not chosen:
        raise SlipwayError(f"lab: no log named {name!r}; `slipway lab logs` lists them")
    for known in chosen:
        if len(chosen) > 1:
            typer.echo(f"==> {known} <==")
        for line in files[known].read_text(errors="replace").splitlines()[-lines:]:
            typer.echo(line)
