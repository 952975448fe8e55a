"""What `slipway` can do."""

from __future__ import annotations

import typer

from slipway.cli import (
    config,
    demo,
    images,
    lab,
    models,
    pins,
    rehearse,
    release,
    render,
    rollout,
    services,
    stack,
)
from slipway.errors import ExitCode

EXIT_CODES = f"Exit codes: {'; '.join(f'{code} {code.meaning}' for code in ExitCode)}."

app = typer.Typer(
    name="slipway",
    help="From a registered model to a pinned service that answers.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("demo")(demo.demo)
app.add_typer(lab.app, name="lab")
app.add_typer(models.app, name="models")
app.add_typer(release.app, name="release")
app.add_typer(pins.app, name="pins")
app.add_typer(rollout.app, name="rollout")
app.add_typer(config.app, name="config")
app.add_typer(images.app, name="images")
app.command("rehearse")(rehearse.rehearse)
app.command("plan")(stack.plan)
app.command("render")(render.render)
app.command("preview")(stack.preview)
app.command("up")(stack.up)
app.command("destroy")(stack.destroy)
app.command("observe", context_settings=services.OPTIONS)(services.observe)
app.command("judge", context_settings=services.OPTIONS)(services.judge)
