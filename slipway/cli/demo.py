"""`slipway demo`: from a registered model to a service that answers."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import asdict

import typer

from slipway.cli.output import Json, short, show, show_json

#: What a shell reports for a program that Control-C ended (128 + SIGINT).
INTERRUPTED = 130


def demo(as_json: Json = False) -> None:
    """Train models, register them, bring them in front of users in the lab, compare their answers.

    Goes on where an interrupted demo was. Exit code 1 if a served answer is not the model's own.
    """
    try:
        # Progress is for people: with --json it moves to stderr.
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            result = _run()
    except KeyboardInterrupt:
        print("\nslipway: interrupted; run the same command again, it goes on from here", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        show_json(result)
    if not result["equal"]:
        print("slipway: a served answer differs from the model's own; see the table", file=sys.stderr)
        raise typer.Exit(1)


def _run() -> dict[str, object]:
    from slipway import demo as steps
    from slipway.cli.project import project
    from slipway.cli.stack import show_done
    from slipway.lab.paths import Paths
    from slipway.progress import say

    home = project()
    with steps.chapter(1, "the tools, built once into a cache outside the checkout"):
        say(f"  ✓ {steps.tools(Paths(home))}")
    with steps.chapter(2, "the lab: a Kubernetes control plane with KServe, Flagger, a gateway, an object store"):
        facts = steps.start_lab(Paths(home))
    with steps.chapter(3, "the registry: models trained on scikit-learn's own data"):
        steps.seed()
    with steps.chapter(4, f"pulumi up: the program that production runs, on stack {steps.STACK}"):
        deployed = steps.deploy(home, show_done)
    show(
        [
            {
                "model": one.model,
                "version": one.version,
                "release": one.release,
                "digest": short(one.digest),
                "state": one.state,
            }
            for one in deployed
        ],
        as_json=False,
    )
    with steps.chapter(5, "each model's own input example, as a user's client sends it"):
        compared = steps.compare(deployed, facts.url("gateway"))
    show(
        [
            {
                "model": one.model,
                "version": one.version,
                "through the gateway": one.served,
                "loaded from the registry": one.loaded,
                "equal": "yes" if one.equal else "NO",
            }
            for one in compared
        ],
        as_json=False,
    )
    say("[6/6] what to try next")
    for command, purpose in steps.next_steps(deployed[-1], facts.url("gateway")):
        say(f"  {command:<66} # {purpose}")
    return {
        "deployed": [asdict(one) for one in deployed],
        "compared": [asdict(one) for one in compared],
        "equal": all(one.equal for one in compared),
    }
