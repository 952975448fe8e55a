"""TCP relay from the host's loopback into the lab's network namespace.

A socket belongs to the network namespace it was made in: listening ones come from outside, connections go inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

#: Bytes moved at once; what Linux puts into a loopback segment.
CHUNK = 64 * 1024


async def serve(listener: socket.socket, host: str, port: int) -> asyncio.Server:
    """Relay what connects to `listener` to host:port, until the server is closed."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # A component that has not come up yet refuses: the client sees a closed connection.
            inside_reader, inside_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(_pump(reader, inside_writer), _pump(inside_reader, writer))
        finally:
            inside_writer.close()
            writer.close()

    return await asyncio.start_server(handle, sock=listener)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    # Half-close: an HTTP client may end its request this way and still wait for the answer.
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
