"""The command `python -m slipway.judge`, which is also `slipway judge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipway.command import address, run
from slipway.judge import service

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def judge(
    kubeconfig: Annotated[Path, typer.Option(help="Kubeconfig of the cluster whose rollouts are judged.")],
    prometheus: Annotated[str, typer.Option(help="Base URL of the Prometheus that scrapes the models.")],
    ledger: Annotated[Path, typer.Option(help="File for the decisions, one JSON object per line.")],
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig; its current one by default.")] = None,
    listen: Annotated[str, typer.Option(help="Host and port to listen at.")] = "127.0.0.1:9091",
) -> None:
    """Serve the decisions that Flagger asks for, until stopped."""
    host, port = address(listen)
    service.serve(kubeconfig, context, prometheus, host, port, ledger)


if __name__ == "__main__":
    run(app)
