"""`slipway render`: the tree of manifests that Argo CD applies."""

from __future__ import annotations

import difflib
import sys
from typing import Annotated

import typer

from slipway.cli.output import Json, show, show_json
from slipway.cli.stack import Stack

Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 where the tree is not up to date.")]
HeldBack = Annotated[
    str | None,
    typer.Option("--hold-back", help="Model whose target goes back to what serves, so that a rollout can be retried."),
]


def render(stack: Stack, check: Check = False, hold_back: HeldBack = None, as_json: Json = False) -> None:
    """Write the models' objects as files, for an environment that is delivered by Git; commit them afterwards.

    What may move is decided from the cluster, as `up` does, so it must be reachable.
    """
    from slipway.cli.project import project, specs, use_lab
    from slipway.gitops import render as rendering
    from slipway.gitops.writer import write
    from slipway.planning import environment as planning
    from slipway.planning import guard, regions, verification
    from slipway.rollout import cluster
    from slipway.settings.stack_file import read_environment

    use_lab(stack)
    environment = read_environment(project(), stack)
    root = rendering.tree_root(project(), environment)
    observed = cluster.observe(cluster.connect(environment, project()), environment.namespace, specs())
    guard.refuse_two_writers(environment, observed)
    earlier = regions.earlier(project(), environment)
    plan = planning.plan_environment(project(), environment, observed, hold_back, earlier)
    for notice in plan.notices:
        print(f"note: {notice}", file=sys.stderr)
    problems = [*plan.problems, *verification.verify(plan.to_create())]
    for problem in problems[:-1]:
        print(f"slipway: {problem}", file=sys.stderr)
    if problems:
        raise problems[-1]
    outcome = rendering.render(project(), plan)
    for notice in outcome.notices:
        print(f"note: {notice}", file=sys.stderr)
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
        raise typer.Exit(1)


def diff(path: str, old: str | None, new: str | None) -> list[str]:
    """Return what differs between two texts of a file, as `git diff` shows it."""
    before, after = ((text or "").splitlines(keepends=True) for text in (old, new))
    return list(difflib.unified_diff(before, after, f"a/{path}", f"b/{path}"))
