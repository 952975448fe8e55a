"""`slipway rollout`: how new versions get in front of users."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from slipway.cli.options import AnyModel, Json, Model, Stack
from slipway.cli.output import show, show_json
from slipway.cli.project import project, spec_of, specs, use_lab
from slipway.clients.kube import Kube
from slipway.delivery import collect, overview, view
from slipway.delivery import report as reports
from slipway.delivery.abort import abort as take_back
from slipway.delivery.books import Books
from slipway.delivery.llm import step as step_model
from slipway.delivery.retry import retry as try_again
from slipway.delivery.rollback import rollback as roll_back
from slipway.delivery.settle import settle as settle_model
from slipway.engine.deploy import Deployment
from slipway.errors import ExitCode, SlipwayError
from slipway.rollout import cluster, state
from slipway.settings.environment import Environment
from slipway.settings.stack_file import read_environment
from slipway.times import iso

app = typer.Typer(help="How new versions get in front of users.", no_args_is_help=True, add_completion=False)

#: What a table shows of a model; JSON has all of it.
COLUMNS = ("model", "stable", "candidate", "phase", "weight", "evidence", "waits for", "next", "why")


@app.command()
def status(
    model: AnyModel = None,
    stack: Stack = "local",
    as_json: Json = False,
) -> None:
    """Show what serves, what is tried, what to do next; exit code 1 where a failed rollout waits for somebody."""
    environment, kube = _environment(stack)
    chosen = (
        {model: spec_of(model)} if model else {name: spec for name, spec in specs().items() if environment.has(name)}
    )
    rows, notices = overview.overview(project(), environment, kube, chosen)
    if as_json:
        show_json({"environment": environment.name, "models": rows, "notices": notices})
    else:
        show([_cells(row) for row in rows], as_json=False, columns=COLUMNS)
        for notice in notices:
            print(f"note: {notice}")
    raise typer.Exit(ExitCode.NO if any(row["next"] in ("rollback", "retry") for row in rows) else 0)


@app.command()
def watch(
    model: Annotated[str | None, typer.Argument(help="One model; all that have a rollout without it.")] = None,
    stack: Stack = "local",
    limit: Annotated[float, typer.Option(help="Seconds that it may take.")] = 86_400.0,
    as_json: Json = False,
) -> None:
    """Show rollouts live until they have ended; exit code 1 unless all of them were promoted."""
    environment, kube = _environment(stack)
    chosen = [spec_of(model).name] if model else overview.under_way(environment, kube, specs())
    # The view is for people: with --json it moves to stderr.
    records = view.watch(
        lambda: overview.records(environment, kube, chosen), chosen, limit=limit, out=sys.stderr if as_json else None
    )
    if as_json:
        show_json([record.model_dump(mode="json") for record in records.values()])
    elif not chosen:
        print(f"no rollout is under way in {environment.name}")
    raise typer.Exit(0 if all(record.outcome == "promoted" for record in records.values()) else ExitCode.NO)


@app.command()
def report(
    model: Model,
    stack: Stack = "local",
    directory: Annotated[Path, typer.Option("--directory", "-d", help="Where to.")] = Path(".slipway/reports"),
    as_json: Json = False,
) -> None:
    """Tell the present rollout of a model, or its last one, as a page with its data beside it."""
    name = spec_of(model).name
    environment, kube = _environment(stack)
    seen = state.read(kube, environment.namespace, [name])[name]
    record = collect.collect(kube, collect.prometheus_of(environment), environment, seen)
    written = reports.write([record], directory, f"{environment.name}-{name}", iso(time.time()))
    if as_json:
        show_json({"html": str(written.html), "json": str(written.json), "outcome": record.outcome})
    else:
        print(f"{written.html}: {name} v{record.candidate_version}: {record.outcome}")


@app.command()
def settle(model: Model, stack: Stack = "local", as_json: Json = False) -> None:
    """Write down what the cluster has decided: a promoted candidate is stable, a failed one is rejected."""
    books, kube = _books(model, stack)
    _say(settle_model(kube, books), as_json)


@app.command()
def rollback(
    model: Model,
    stack: Stack = "local",
    reason: Annotated[str | None, typer.Option(help="Why; found out without it.")] = None,
    to: Annotated[str | None, typer.Option(help="What shall serve instead of a stable release.")] = None,
    as_json: Json = False,
) -> None:
    """Take a candidate away for good: traffic, pins or registry, alias, ledger, incident; safe to run again."""
    books, kube = _books(model, stack)
    _say(roll_back(kube, books, reason=reason, to=to), as_json)


@app.command()
def abort(
    model: Model,
    stack: Stack = "local",
    reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    as_json: Json = False,
) -> None:
    """Take the traffic back from a candidate, nothing else; `retry` or `rollback` comes next."""
    books, kube = _books(model, stack)
    _say(take_back(kube, books, reason=reason), as_json)


@app.command()
def retry(model: Model, stack: Stack = "local", as_json: Json = False) -> None:
    """Try a failed candidate once more: the target goes back, until Flagger has looked, then forward again."""
    books, kube = _books(model, stack)
    if books.environment.delivery == "gitops":
        raise SlipwayError(
            f"{model}: {stack} is delivered by Git, so a retry is two commits: `slipway render -s {stack} --hold-back"
            f" {model}`, and, when Flagger has looked, `slipway render -s {stack}`"
        )
    _say(try_again(kube, books, Deployment(project(), stack).up), as_json)


@app.command()
def step(
    model: Model,
    stack: Stack = "local",
    to: Annotated[int | None, typer.Option(min=0, max=100, help="Percent; the next step without it.")] = None,
    reason: Annotated[str | None, typer.Option(help="With --to 0: why it is never taken again.")] = None,
    as_json: Json = False,
) -> None:
    """Give the candidate of an LLM its next share of the traffic; at 100 it is stable."""
    books, kube = _books(model, stack, llm=True)
    _say(step_model(kube, books, to, reason), as_json)


def _books(model: str, stack: str, *, llm: bool = False) -> tuple[Books, Kube]:
    """Return what is written about a model, with the cluster.

    Raises:
        SlipwayError: Its traffic is moved in another way.
    """
    spec = spec_of(model)
    if bool(spec.llm) is not llm:
        where = f"models/{model}.yaml: "
        raise SlipwayError(
            f"{where}no llm in it: Flagger moves its traffic, nobody has to step"
            if llm
            else f"{where}llm: Flagger does not move its traffic: `slipway rollout step {model}`, back with --to 0"
        )
    environment, kube = _environment(stack)
    return Books(project(), environment, spec), kube


def _say(done: list[str], as_json: bool) -> None:
    show_json({"done": done}) if as_json else print("\n".join(done))


def _environment(stack: str) -> tuple[Environment, Kube]:
    """Return an environment with its cluster, as this shell reaches it."""
    use_lab(stack)
    environment = read_environment(project(), stack)
    return environment, cluster.connect(environment, project())


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    percent = None if row["weight"] is None else f"{row['weight']}%"
    names = {key: row[key] and f"v{row[key]}" for key in ("stable", "candidate")}
    return {**row, **names, "weight": percent, "waits for": row["waits_for"] or None, "why": row["why"] or None}
