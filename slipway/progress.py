"""Progress lines of long steps: elapsed and usual time."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

#: Seconds between two progress lines: after a longer silence a program seems to hang.
HEARTBEAT = 10.0

_lock = threading.Lock()


def say(line: str) -> None:
    """Print one whole line, safely from several threads."""
    with _lock:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


@contextlib.contextmanager
def step(what: str, usual_seconds: float | None = None) -> Iterator[None]:
    """Print a line when a step starts, every ten seconds while it lasts, and when it ends.

    Args:
        usual_seconds: Its usual time on two otherwise idle cores, if it is known.
    """
    usual = f" (usually {_duration(usual_seconds)})" if usual_seconds and usual_seconds >= HEARTBEAT else ""
    start = time.monotonic()
    done = threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT):
            say(f"  … {what}: {_duration(time.monotonic() - start)} so far{usual}")

    thread = threading.Thread(target=beat, daemon=True)
    if usual:
        say(f"  … {what}{usual}")
    thread.start()
    try:
        yield
    except BaseException:
        say(f"  ✗ {what}: stopped after {_duration(time.monotonic() - start)}")
        raise
    finally:
        done.set()
        thread.join()
    say(f"  ✓ {what}: {_duration(time.monotonic() - start)}")


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
