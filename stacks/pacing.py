"""How fast resources are handed to the engine.

The SDK takes resources as fast as a program makes them, keeps all that are pending in memory, and asks the engine to
log four debug messages for each, one blocking call at a time, whether anybody wants them or not. At a thousand models
that is most of the time and of the memory of a preview (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pulumi

#: Models that are registered at once. Between 10 and 50 it makes no difference, and the engine's own parallelism (four
#: for each core) is below it; a model whose server never gets ready keeps one place, not everything behind it.
WINDOW = 25

#: Set to anything, the SDK's own debug messages reach the engine.
SDK_DEBUG = "SLIPWAY_SDK_DEBUG"


async def paced(declare: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Declare things one after the other, with at most WINDOW of them unfinished.

    Args:
        declare: Each registers resources and returns what ends when the engine has dealt with them.
    """
    running: set[asyncio.Future[None]] = set()
    for one in declare:
        if len(running) >= WINDOW:
            _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        running.add(asyncio.ensure_future(one()))
    if running:
        await asyncio.wait(running)


def quiet() -> None:
    """Keep the SDK's debug messages from the engine, unless somebody asked for them.

    Only safe together with `paced`: without pending resources piling up, nothing waits on the time that these take.
    """
    if not os.environ.get(SDK_DEBUG) and not _debugging():
        pulumi.log.debug = _say_nothing


def collect_rarely() -> None:
    """Search for cycles after each 10,000 new objects, not after each 700, which is Python's default.

    Imports, plans and compiled objects leave hundreds of thousands of objects that stay, and that would be searched
    again and again while they grow.
    """
    gc.set_threshold(10_000)


def _say_nothing(*args: object, **kwargs: object) -> None:
    """Take a debug message."""


def _debugging() -> bool:
    """Tell whether `pulumi` was started with --debug or -d: the engine tells no program, but its processes show it."""
    pid = os.getppid()
    with contextlib.suppress(OSError, ValueError):
        while pid > 1:
            process = Path(f"/proc/{pid}")
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            if Path(os.fsdecode(arguments[0])).name == "pulumi":
                return b"--debug" in arguments or b"-d" in arguments
            pid = int((process / "stat").read_text().rpartition(")")[2].split()[1])
    return False
