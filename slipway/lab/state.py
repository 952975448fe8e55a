"""State of a lab: its lock, ports, credentials and supervisor."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from slipway.errors import ExitCode, SlipwayError
from slipway.lab import network
from slipway.lab.paths import Paths, private_directory, write_private


@dataclass(frozen=True)
class Facts:
    """Content of lab.json.

    Args:
        identifier: Name of this cluster; changes when the state is wiped.
        ports: Host ports by relayed name (network.RELAYED).
        supervisor: Process id of the running lab, 0 where none runs.
        started: Start time of that process in clock ticks since boot, to detect a reused id.
    """

    identifier: str
    ports: Mapping[str, int]
    access_key: str
    secret_key: str
    supervisor: int = 0
    started: int = 0

    def url(self, name: str) -> str:
        """Return the address of a relayed port for the user's shell."""
        return f"{'https' if name == 'api' else 'http'}://127.0.0.1:{self.ports[name]}"


def load(paths: Paths) -> Facts | None:
    """Read lab.json; None where no lab was started before."""
    try:
        return Facts(**json.loads(paths.facts.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise SlipwayError(
            f"{paths.facts}: expected the JSON of a lab ({type(error).__name__}); wipe it: `slipway lab reset`"
        ) from None


def save(paths: Paths, facts: Facts) -> None:
    """Write lab.json."""
    write_private(paths.facts, json.dumps(asdict(facts), indent=2) + "\n")


def new() -> Facts:
    """Return the facts of a new lab."""
    return Facts(
        identifier=f"slipway-lab-{secrets.token_hex(4)}",
        ports={},
        access_key=f"slipway{secrets.token_hex(6)}",
        secret_key=secrets.token_urlsafe(30),
    )


def lock(paths: Paths) -> int:
    """Take the lab's lock, held while the returned descriptor or a child's copy is open.

    Raises:
        SlipwayError: Another lab holds it.
    """
    private_directory(paths.root)
    private_directory(paths.lab)
    descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _write_lock())
    except (BlockingIOError, PermissionError):
        os.close(descriptor)
        raise busy(paths) from None
    return descriptor


def running(paths: Paths) -> bool:
    """Return whether a lab of this project runs; the query never blocks one that starts."""
    try:
        descriptor = os.open(paths.lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _write_lock())
    finally:
        os.close(descriptor)
    return bool(struct.unpack_from("h", answer)[0] != fcntl.F_UNLCK)


def busy(paths: Paths) -> SlipwayError:
    """Return the error of a lab that already runs."""
    facts = load(paths)
    process = f" (process {facts.supervisor})" if facts and facts.supervisor else ""
    return SlipwayError(
        f"lab: already running for {paths.project}{process}; see `slipway lab status`, or run `slipway lab down`",
        ExitCode.BUSY,
    )


def _write_lock() -> bytes:
    """Return an open-file-description lock of the whole file: unlike flock(2) it can be queried (fcntl(2))."""
    return struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def listen(ports: Mapping[str, int]) -> dict[str, socket.socket]:
    """Open the listening sockets on loopback: at the given port if it is free, else at any."""
    return {name: _listen(ports.get(name, 0)) for name in network.RELAYED}


def _listen(port: int) -> socket.socket:
    for candidate in (port, 0):
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", candidate), backlog=128)
    raise SlipwayError("lab: no free port on 127.0.0.1; close programs that listen there", ExitCode.MACHINE)


def start_time(pid: int) -> int | None:
    """Return a process's start time in clock ticks (proc(5), field 22 of stat); None if it is gone or a zombie."""
    try:
        # The command name may contain blanks: fields are counted after its closing parenthesis.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def component_states(paths: Paths) -> dict[str, dict[str, Any]]:
    """Read the last reported states of the running lab's components."""
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(paths.components.read_text()))
    return {}
