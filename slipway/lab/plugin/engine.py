"""Client for the engine's log: warnings and passing status lines."""

from __future__ import annotations

import contextlib
import threading

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc


class Engine:
    """Engine that started this plugin."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._stub: engine_pb2_grpc.EngineStub | None = None
        self._lock = threading.Lock()

    def warn(self, message: str) -> None:
        """Show a warning."""
        self._log(engine_pb2.WARNING, message, "", passing=False)

    def status(self, message: str, urn: str) -> None:
        """Show a status line, replaced by the next one."""
        self._log(engine_pb2.INFO, message, urn, passing=True)

    def _log(self, severity: engine_pb2.LogSeverity.ValueType, message: str, urn: str, *, passing: bool) -> None:
        with self._lock:
            if self._stub is None:
                self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(self._address))
        # A lost line must not fail its operation.
        with contextlib.suppress(grpc.RpcError):
            self._stub.Log(
                engine_pb2.LogRequest(severity=severity, message=message, urn=urn, ephemeral=passing), timeout=10
            )
