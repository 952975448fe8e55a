"""`slipway demo`: from a registered model to a service that answers."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from slipway.cli.options import Json
from slipway.cli.output import short, show, show_json
from slipway.cli.project import project
from slipway.cli.stack import show_done
from slipway.delivery import readings
from slipway.delivery.record import RolloutRecord
from slipway.demo import rollouts as demo_rollouts
from slipway.demo import steps as steps
from slipway.demo.rollouts import Noticed, Story
from slipway.errors import ExitCode
from slipway.lab.paths import Paths
from slipway.lab.state import Facts
from slipway.progress import say
from slipway.traffic.stream import Traffic

app = typer.Typer(add_completion=False)


@app.command()
def demo(as_json: Json = False) -> None:
    """Train models, bring them in front of users in the lab, let a better version take over, then worse ones fail.

    Goes on where an interrupted demo was. Exit code 1 if a served answer is not the model's own, a rollout ends
    otherwise than its version deserves, or a request of the primary's share fails.
    """
    try:
        # Progress is for people: with --json it moves to stderr.
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            result = _run()
    except KeyboardInterrupt:
        print("\nslipway: interrupted; run the same command again, it goes on from here", file=sys.stderr)
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if as_json:
        show_json(result)
    problems = list(result["problems"])
    if not result["equal"]:
        problems.append("a served answer differs from the model's own; see the table")
    for problem in problems:
        print(f"slipway: {problem}", file=sys.stderr)
    if problems:
        raise typer.Exit(ExitCode.NO)


def _run() -> dict[str, Any]:
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
    told = _rollouts(home, facts, {one.model: one.url for one in deployed})
    say(f"[{steps.CHAPTERS}/{steps.CHAPTERS}] what to try next")
    for command, purpose in steps.next_steps(deployed[-1], facts.url("gateway")):
        say(f"  {command:<66} # {purpose}")
    return {
        "deployed": [asdict(one) for one in deployed],
        "compared": [asdict(one) for one in compared],
        "equal": all(one.equal for one in compared),
        **told,
    }


def _rollouts(home: Path, facts: Facts, urls: Mapping[str, str]) -> dict[str, Any]:
    """Let traffic move; returns what became of it."""
    rollouts, began = demo_rollouts.Rollouts(home, facts, show_done), time.time()
    with contextlib.ExitStack() as stack:
        traffic: Traffic | None = None
        told: list[Story] = []
        for number, title, stories in (
            (6, "a better version, under the requests of its users: a rollout to its promotion", rollouts.better),
            (7, "three versions that look good in the registry, all at the same time", rollouts.worse),
        ):
            with steps.chapter(number, title):
                found = stories()
                told += found
                open_ones = rollouts.open(found)
                for story in found:
                    if story not in open_ones:
                        say(f"  ✓ {story.model}: v{story.version} was tried already ({story.title})")
                if open_ones:
                    traffic = traffic or stack.enter_context(rollouts.users(urls))
                    rollouts.tell(open_ones)
        rollouts.tidy()
    # Only now: what was sent since the last scrape would seem lost.
    noticed = rollouts.noticed(traffic, began) if traffic else []
    if traffic and traffic.unreported:
        say(f"  note: observe did not take {traffic.unreported} predictions or labels")
    records = rollouts.recorded()
    with steps.chapter(8, "what became of them, what users noticed"):
        written = rollouts.record(())
        show([_ended(record) for record in records], as_json=False)
        if noticed:
            show([_seen(each) for each in noticed], as_json=False)
        say(f"  ✓ report: {written.html}, the same as JSON beside it")
    return {
        "rollouts": [_ended(record) for record in records],
        "noticed": [asdict(each) for each in noticed],
        "report": {"html": str(written.html), "json": str(written.json)},
        "problems": demo_rollouts.problems(told, records, noticed),
    }


def _seen(noticed: Noticed) -> dict[str, Any]:
    """Say what a model's users noticed, in a row."""
    return {
        "model": noticed.model,
        "requests to the primary": noticed.primary,
        "failed": noticed.primary_failed,
        "requests to candidates": noticed.canary,
        "failed there": noticed.canary_failed,
    }


def _ended(record: RolloutRecord) -> dict[str, Any]:
    """Say how a rollout ended, in a row."""
    return {
        "model": record.model,
        "versions": f"v{record.stable_version} → v{record.candidate_version}",
        "outcome": readings.OUTCOMES[record.outcome],
        "seconds": round(readings.duration(record)),
        "asked": record.exposure.requests,
        "failed": record.exposure.failed,
        "why": readings.why(record),
    }
