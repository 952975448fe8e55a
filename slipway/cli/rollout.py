"""`slipway rollout`: how new versions get in front of users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from slipway.cli.output import Json, show, show_json
from slipway.cli.stack import Stack

if TYPE_CHECKING:
    from slipway.environment import Environment
    from slipway.kube import Kube

app = typer.Typer(help="How new versions get in front of users.", no_args_is_help=True)

Model = Annotated[str, typer.Argument(help="Name of a model spec: models/<name>.yaml.")]

#: What a table shows of a model; JSON has all of it.
COLUMNS = ("model", "stable", "candidate", "phase", "weight", "evidence", "waits for", "next", "why")


@app.command()
def status(
    model: Annotated[str | None, typer.Argument(help="One model; all without it.")] = None,
    stack: Stack = "local",
    as_json: Json = False,
) -> None:
    """Show what serves, what is tried, what to do next; exit code 1 where a failed rollout waits for somebody."""
    from slipway.cli.project import project, spec_of, specs
    from slipway.delivery import overview

    environment, kube = _environment(stack)
    chosen = {model: spec_of(model)} if model else specs()
    rows, notices = overview.overview(project(), environment, kube, chosen)
    if as_json:
        show_json({"environment": environment.name, "models": rows, "notices": notices})
    else:
        show([_cells(row) for row in rows], as_json=False, columns=COLUMNS)
        for notice in notices:
            print(f"note: {notice}")
    raise typer.Exit(1 if any(row["next"] in ("rollback", "retry") for row in rows) else 0)


def _environment(stack: str) -> tuple[Environment, Kube]:
    """Return an environment with its cluster, as this shell reaches it."""
    from slipway import cluster
    from slipway.cli.project import project, use_lab
    from slipway.stack_file import read_environment

    use_lab(stack)
    environment = read_environment(project(), stack)
    return environment, cluster.connect(environment, project())


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    percent = None if row["weight"] is None else f"{row['weight']}%"
    names = {key: row[key] and f"v{row[key]}" for key in ("stable", "candidate")}
    return {**row, **names, "weight": percent, "waits for": row["waits_for"] or None, "why": row["why"] or None}
