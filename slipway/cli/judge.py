"""The command `slipway judge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipway.errors import SlipwayError


def judge(
    kubeconfig: Annotated[Path, typer.Option(help="Of the cluster whose rollouts it judges.")],
    prometheus: Annotated[str, typer.Option(help="Base URL of the Prometheus that scrapes the models.")],
    ledger: Annotated[Path, typer.Option(help="File that decisions are noted in, one JSON object a line.")],
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig; its current one by default.")] = None,
    listen: Annotated[str, typer.Option(help="Address and port.")] = "127.0.0.1:9091",
) -> None:
    """Serve the decisions that Flagger asks for, until stopped."""
    from slipway.judge import service

    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit():
        raise SlipwayError(f"--listen: expected <address>:<port>, got {listen!r}")
    service.serve(kubeconfig, context, prometheus, host, int(port), ledger)
