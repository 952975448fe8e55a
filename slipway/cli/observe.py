"""The command `slipway observe`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipway.errors import SlipwayError


def observe(
    listen: Annotated[str, typer.Option(help="host:port to serve at.")] = "127.0.0.1:9092",
    models: Annotated[Path, typer.Option(help="Directory of the model specs.")] = Path("models"),
) -> None:
    """Join predictions with their labels, measure drift, serve both to Prometheus; runs until it is stopped."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise SlipwayError(f"--listen: expected host:port, as 127.0.0.1:9092, got {listen!r}")
    from slipway.observe.service import serve

    serve(host.strip("[]"), int(port), models)
