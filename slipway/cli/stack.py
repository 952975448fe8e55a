"""`slipway plan`, `preview`, `up`, `destroy`: what happens to an environment."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import typer

from slipway.cli.options import Json, Stack, Yes
from slipway.cli.output import short, show, show_json
from slipway.cli.project import LAB_STACK, project, use_lab
from slipway.engine.deploy import Deployment, Step, Summary
from slipway.errors import SlipwayError, refuse
from slipway.planning.environment import EnvironmentPlan
from slipway.planning.prepare import prepare
from slipway.settings.checkout import Checkout
from slipway.settings.stack_file import read_environment

app = typer.Typer(add_completion=False)

#: What the engine does, in words; it has more (pkg/resource/deploy/step.go), which are shown as they are.
OPERATIONS = {"create": "+ create", "update": "~ update", "delete": "- delete", "same": "  same"}


@app.command()
def plan(stack: Stack = "local", as_json: Json = False) -> None:
    """Say what `up` would do to each model, from the files, the registry and the cluster; runs no Pulumi."""
    use_lab(stack)
    checkout = Checkout(project())
    found = prepare(checkout, checkout.stack(stack), preview=True)
    rows, notices = plan_rows(found), (*found.notices, *found.unwritten())
    if as_json:
        problems = [str(problem) for problem in found.problems]
        said = {"notices": notices, "warnings": found.warnings, "problems": problems}
        show_json({"stack": stack, "models": rows, **said})
    else:
        for warning in found.warnings:
            print(f"slipway: warning: {warning}", file=sys.stderr)
        show(rows, as_json=False)
        for notice in notices:
            print(f"note: {notice}")
    refuse(found.problems)


def plan_rows(found: EnvironmentPlan) -> list[dict[str, Any]]:
    """Say for each model what is there, what shall be, what is done about it."""
    rows = []
    for name, model in found.plans.items():
        seen = (found.observed or {}).get(name)
        there = {service.version for service in seen.services.values()} if seen else set()
        declared = {release.version for release in model.declared}
        does = [f"create v{version}" for version in sorted(declared - there)]
        if seen and seen.target_version not in (None, model.target.version):
            does.append(f"move the target from v{seen.target_version} to v{model.target.version}")
        does += [f"remove v{version}" for version in sorted(there - declared)]
        rows.append(
            {
                "model": name,
                "live": model.live.id if model.live else None,
                "stable": model.stable.id,
                "candidate": model.candidate.id if model.candidate else None,
                "target": model.target.id,
                "up would": does or ["nothing"],
            }
        )
    return rows


@app.command()
def preview(stack: Stack = "local", as_json: Json = False) -> None:
    """Show what `up` would change (pulumi preview)."""
    _report(_deployment(stack).preview(None if as_json else show_step), as_json)


@app.command()
def up(stack: Stack = "local", yes: Yes = False, as_json: Json = False) -> None:
    """Make the environment what the project says (pulumi up)."""
    deployment = _deployment(stack)
    _ask(f"Change the environment {stack}?", stack, yes)
    _report(deployment.up(None if as_json else show_done), as_json)


@app.command()
def destroy(stack: Stack = "local", yes: Yes = False, as_json: Json = False) -> None:
    """Delete all that the stack has made; protected resources refuse."""
    deployment = _deployment(stack)
    _ask(f"Delete everything of the environment {stack}?", stack, yes)
    _report(deployment.destroy(None if as_json else show_done), as_json)


def show_step(step: Step) -> None:
    """Print what the engine would do to a resource."""
    if not step.done and step.op != "same":
        print(f"  {OPERATIONS.get(step.op, step.op)} {step.type.rpartition(':')[2]} {step.name}", flush=True)


def show_done(step: Step) -> None:
    """Print what the engine has done to a resource."""
    if step.failed:
        print(f"  ✗ {step.op} {step.type.rpartition(':')[2]} {step.name}", flush=True)
    elif step.done and step.op != "same":
        print(f"  {OPERATIONS.get(step.op, step.op)} {step.type.rpartition(':')[2]} {step.name}", flush=True)


def _deployment(stack: str) -> Deployment:
    read_environment(project(), stack)
    use_lab(stack)
    return Deployment(project(), stack)


def _ask(question: str, stack: str, yes: bool) -> None:
    if yes or stack == LAB_STACK:
        return
    if not sys.stdin.isatty():
        raise SlipwayError(f"{question} Nobody is there to answer: use --yes")
    typer.confirm(question, abort=True)


def _report(summary: Summary, as_json: bool) -> None:
    if as_json:
        show_json(asdict(summary))
        return
    for message in (*summary.warnings, *summary.messages):
        print(f"note: {message}")
    counts = ", ".join(f"{count} {op}" for op, count in sorted(summary.changes.items())) or "none"
    print(f"resources: {counts}")
    if summary.models:
        show(
            [
                {
                    "model": name,
                    "version": model.version,
                    "release": model.release,
                    "digest": short(model.digest),
                    "url": model.url,
                }
                for name, model in summary.models.items()
            ],
            as_json=False,
        )
