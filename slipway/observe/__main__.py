"""The command `python -m slipway.observe`, which is also `slipway observe`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipway.command import address, run
from slipway.observe import service

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def observe(
    listen: Annotated[str, typer.Option(help="Host and port.")] = "127.0.0.1:9092",
    models: Annotated[Path, typer.Option(help="Directory of the model specs.")] = Path("models"),
) -> None:
    """Join predictions with their labels, measure drift, serve both to Prometheus; runs until it is stopped."""
    service.serve(*address(listen), models)


if __name__ == "__main__":
    run(app)
