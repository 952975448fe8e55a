"""Helpers of every command line: known failures as one line on stderr, and addresses to listen at."""

from __future__ import annotations

import sys
from collections.abc import Callable

from slipway.errors import SlipwayError


def run(command: Callable[[], object]) -> None:
    """Run a command line; a known failure is one line on stderr with its exit code (slipway/errors.py)."""
    try:
        command()
    except SlipwayError as error:
        sys.stdout.flush()
        for line in str(error).splitlines():
            print(f"slipway: {line}", file=sys.stderr)
        sys.exit(int(error.exit_code))


def address(listen: str) -> tuple[str, int]:
    """Read `--listen`: a host, in brackets if it is an IPv6 address, and a port. Raises SlipwayError."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise SlipwayError(f"--listen: expected <host>:<port>, as 127.0.0.1:9092, got {listen!r}")
    return host.strip("[]"), int(port)
