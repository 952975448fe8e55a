"""Command of the plugin: `pulumi-resource-kubernetes [--flags] <engine address>`.

The engine reads the port from the first line of standard output.
"""

from __future__ import annotations

import select
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from slipway.lab.plugin.choice import sdk_version
from slipway.lab.plugin.engine import Engine
from slipway.lab.plugin.provider import Provider

#: Threads, made on demand: each waiting call holds one, and a cancellation must still get through.
WORKERS = 256
#: Bytes of one message, which may hold a whole stack's state, as in Pulumi's own servers.
_MESSAGE_BYTES = 400 * 1024 * 1024
#: Seconds for running calls to end once the engine is gone.
_GRACE = 2.0


def main(arguments: Sequence[str]) -> int:
    """Serve until the engine ends; return the exit code."""
    positional = [argument for argument in arguments if not argument.startswith("-")]
    if not positional:
        print(
            "pulumi-resource-kubernetes (stand-in): expected the engine's address; Pulumi starts this itself",
            file=sys.stderr,
        )
        return 2
    serve(positional[-1])
    return 0


def serve(engine_address: str) -> None:
    """Serve the engine's calls until it ends."""
    limits = [("grpc.max_receive_message_length", _MESSAGE_BYTES), ("grpc.max_send_message_length", _MESSAGE_BYTES)]
    server = grpc.server(ThreadPoolExecutor(WORKERS), options=limits)
    cancelled, ended = threading.Event(), threading.Event()
    # The build metadata names the stand-in without changing the order of versions.
    provider = Provider(f"{sdk_version() or '0.0.0'}+slipway", Engine(engine_address), cancelled)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    threading.Thread(target=_await_reader, args=(ended,), daemon=True).start()
    ended.wait()
    cancelled.set()
    server.stop(_GRACE).wait()


def _await_reader(ended: threading.Event) -> None:
    """Set the event once our standard output has no reader: the engine was killed."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    poll.poll()
    ended.set()
