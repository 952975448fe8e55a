"""TCP relays: from the host's loopback into the lab's network namespace, and from a Service's address to its pods.

A socket belongs to the network namespace it was made in: listeners come from outside, connections are opened inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable

#: Bytes moved at once; what Linux puts into a loopback segment.
CHUNK = 64 * 1024
#: Seconds for a connection within one machine; a pod that has just ended does not answer.
CONNECT_LIMIT = 2.0

#: Host and port.
Address = tuple[str, int]


async def serve(listener: socket.socket, host: str, port: int) -> asyncio.Server:
    """Relay connections to `listener` to host:port, until the server is closed."""
    return await serve_any(listener, lambda: [(host, port)])


async def serve_any(listener: socket.socket, targets: Callable[[], Iterable[Address]]) -> asyncio.Server:
    """Relay connections to `listener` to the first target that accepts them, until the server is closed.

    Args:
        listener: A bound socket; this function makes it listen.
        targets: Called for each connection.
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside = await _connect(targets())
        if inside is None:
            # As a closed port: a component that has not started yet, or a Service without a ready pod.
            writer.transport.abort()
            return
        inside_reader, inside_writer = inside
        try:
            await asyncio.gather(_pump(reader, inside_writer), _pump(inside_reader, writer))
        finally:
            inside_writer.close()
            writer.close()

    return await asyncio.start_server(handle, sock=listener)


async def _connect(targets: Iterable[Address]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    for host, port in targets:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CONNECT_LIMIT):
                return await asyncio.open_connection(host, port)
    return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    # Half-close: an HTTP client may end its request this way and still wait for the response.
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
