"""Pace of resource registrations.

The SDK registers resources as fast as a program makes them, keeps all pending ones in memory, and sends four blocking
debug messages for each. At a thousand models that takes most of a preview's time and memory (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pulumi

#: Models registered at once. Values between 10 and 50 perform alike and exceed the engine's parallelism (four for each
#: core); a model whose server never becomes ready blocks one place only.
WINDOW = 25

#: If set, the SDK's debug messages reach the engine.
SDK_DEBUG = "SLIPWAY_SDK_DEBUG"


async def paced(declare: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Declare resources in order, with at most WINDOW of them unfinished.

    Args:
        declare: Each registers resources and returns an awaitable that ends when the engine has processed them.
    """
    running: set[asyncio.Future[None]] = set()
    for one in declare:
        if len(running) >= WINDOW:
            _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        running.add(asyncio.ensure_future(one()))
    if running:
        await asyncio.wait(running)


def quiet() -> None:
    """Drop the SDK's debug messages unless they were requested.

    Only safe together with `paced`: without pending resources piling up, nothing waits for the messages.
    """
    if not os.environ.get(SDK_DEBUG) and not _debugging():
        pulumi.log.debug = _say_nothing


def collect_rarely() -> None:
    """Search for cycles after every 10,000 new objects instead of 700, Python's default.

    Imports, plans and compiled objects leave hundreds of thousands of permanent objects, and each search visits them.
    """
    gc.set_threshold(10_000)


def _say_nothing(*args: object, **kwargs: object) -> None:
    """Drop a debug message."""


def _debugging() -> bool:
    """Return whether `pulumi` runs with --debug or -d, which only its process shows."""
    pid = os.getppid()
    with contextlib.suppress(OSError, ValueError):
        while pid > 1:
            process = Path(f"/proc/{pid}")
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            if Path(os.fsdecode(arguments[0])).name == "pulumi":
                return b"--debug" in arguments or b"-d" in arguments
            pid = int((process / "stat").read_text().rpartition(")")[2].split()[1])
    return False
