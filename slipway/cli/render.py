"""`slipway render`: the tree of manifests that Argo CD applies."""

from __future__ import annotations

import difflib
import sys
from typing import Annotated

import typer

from slipway.cli.options import Json, Stack
from slipway.cli.output import show, show_json
from slipway.cli.project import project, use_lab
from slipway.errors import ExitCode, SlipwayError, refuse
from slipway.gitops import render as rendering
from slipway.gitops.writer import write
from slipway.planning.prepare import prepare
from slipway.settings.checkout import Checkout

app = typer.Typer(add_completion=False)

Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 where the tree is not up to date.")]
HeldBack = Annotated[
    str | None,
    typer.Option("--hold-back", help="Model whose target goes back to what serves, so that a rollout can be retried."),
]


@app.command()
def render(stack: Stack, check: Check = False, hold_back: HeldBack = None, as_json: Json = False) -> None:
    """Write the models' objects as files, for an environment that is delivered by Git; commit them afterwards.

    What may move is decided from the cluster, as `up` does, so it must be reachable.
    """
    use_lab(stack)
    checkout = Checkout(project())
    environment = checkout.stack(stack)
    root = rendering.tree_root(project(), environment)
    plan = prepare(checkout, environment, preview=False, held_back=hold_back)
    outcome = plan.tree
    for notice in (*plan.notices, *(outcome.notices if outcome else ())):
        print(f"note: {notice}", file=sys.stderr)
    refuse(plan.problems)
    if outcome is None:
        raise SlipwayError(f"Pulumi.{stack}.yaml: slipway:layers: no models, so there is no tree to write")
    if not check:
        write(root, outcome)
    rows = [{"file": change.path, "what": change.what} for change in outcome.changes]
    if as_json:
        show_json({"stack": stack, "directory": str(root), "changes": rows})
    else:
        show(rows, as_json=False)
    if check and rows:
        for change in [] if as_json else outcome.changes:
            sys.stdout.writelines(diff(change.path, change.old, change.new))
        raise typer.Exit(ExitCode.NO)


def diff(path: str, old: str | None, new: str | None) -> list[str]:
    """Return what differs between two texts of a file, as `git diff` shows it."""
    before, after = ((text or "").splitlines(keepends=True) for text in (old, new))
    return list(difflib.unified_diff(before, after, f"a/{path}", f"b/{path}"))
