"""The command `slipway rehearse`."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from slipway.cli.options import Json, Model, Stack, WithEnvironment
from slipway.cli.output import show_json
from slipway.cli.project import LAB_STACK, project, spec_of, use_lab
from slipway.compile.canary import strategy_of
from slipway.documents import write_text
from slipway.errors import ExitCode, SlipwayError
from slipway.lab import state
from slipway.lab.paths import Paths
from slipway.observe.client import Client
from slipway.registry import Registry
from slipway.registry.examples import input_example
from slipway.rehearse.report import markdown
from slipway.rehearse.requests import generate_requests, read_requests
from slipway.rehearse.result import Rehearsal, conclude, foresee
from slipway.rehearse.run import Lab, play
from slipway.rehearse.sides import find_sides
from slipway.rollout import cluster
from slipway.settings.stack_file import read_environment

#: Strategies that show nothing when they are played, each with the reason.
NOTHING_TO_SEE = {
    "immediate": "promotes without a look",
    "ab": "chooses users by header or cookie, which requests of a rehearsal do not have",
    "shadow": "is never promoted, however long it runs",
}


app = typer.Typer(add_completion=False)


@app.command(cls=WithEnvironment)
def rehearse(
    model: Model,
    candidate: Annotated[int, typer.Option("--candidate", "-c", help="The registry version to try.", min=1)],
    stack: Stack = "prod",
    stable: Annotated[
        int | None,
        typer.Option(help="The registry version to compare with; what the environment runs without it.", min=1),
    ] = None,
    recorded: Annotated[
        Path | None, typer.Option("--requests", help="JSON lines of V2 bodies, with `label` where the truth is known.")
    ] = None,
    markdown_file: Annotated[
        Path | None, typer.Option("--markdown", help="Write the pull request's comment there, instead of printing it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Play an environment's rollout in the lab before anyone merges; say what it would do there.

    Exit code 0 if the candidate would be promoted, 1 if it was rolled back or fails a gate, 2 if none ever could be.
    """
    # CI ends a job with SIGTERM: it is tidied up after, as after Control-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # Progress is for people; what is printed at the end is for a pull request.
        with contextlib.redirect_stdout(sys.stderr):
            found = _rehearse(model, candidate, stack, stable, recorded)
    except KeyboardInterrupt:
        print("\nslipway: interrupted; nothing of the rehearsal is left in the lab", file=sys.stderr)
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    _write(found, markdown_file, as_json)
    if found.verdict == "promoted":
        return
    raise typer.Exit(ExitCode.USER if found.prediction.refusals else ExitCode.NO)


def _rehearse(model: str, candidate: int, stack: str, stable: int | None, recorded: Path | None) -> Rehearsal:
    spec, rehearsed = spec_of(model), read_environment(project(), stack)
    if spec.llm:
        raise SlipwayError(f"models/{model}.yaml: llm: the lab has no GPUs to rehearse it on; step it where it serves")
    if reason := NOTHING_TO_SEE.get(strategy := strategy_of(spec, rehearsed)):
        raise SlipwayError(f"rehearse {model}: in {stack} its strategy is {strategy}, which {reason}; try another -s")
    asked = read_requests(recorded) if recorded else ()
    use_lab(LAB_STACK)
    sides = find_sides(Registry(None), project(), spec, rehearsed, candidate, stable)
    prediction = foresee(spec, sides, rehearsed)
    labelled = any(each.label is not None for each in asked)
    played = None
    if not prediction.refusals:
        asked = asked or generate_requests(sides.stable.signature.inputs, input_example(sides.stable))
        played = play(_lab(), spec, sides, rehearsed, asked)
    return conclude(spec, sides, rehearsed, prediction, played, labelled=labelled, generated=recorded is None)


def _lab() -> Lab:
    paths, environment = Paths(project()), read_environment(project(), LAB_STACK)
    facts = state.load(paths)
    if facts is None or not state.running(paths):
        raise SlipwayError("lab: not running; start it with `slipway lab up`", ExitCode.UNREACHABLE)
    return Lab(
        environment=environment,
        kube=cluster.connect(environment, project()),
        gateway=facts.url("gateway"),
        keys=(facts.access_key, facts.secret_key),
        paths=paths,
        sink=Client(facts.url("observe")),
    )


def _write(found: Rehearsal, markdown_file: Path | None, as_json: bool) -> None:
    text = markdown(found)
    if markdown_file:
        write_text(markdown_file, text)
    if as_json:
        show_json(found.model_dump(mode="json"))
    else:
        print(text.splitlines()[0].lstrip("# ") if markdown_file else text, flush=True)
