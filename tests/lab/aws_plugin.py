"""A stand-in for AWS's plugin of Pulumi: it makes nothing, says what the engine asked for, gives it back.

Run by the engine as `pulumi-resource-aws <engine address>`; the real one cannot be had from a package registry.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

#: A file that gets one JSON object for each resource, in lines.
NOTES = "SLIPWAY_TEST_AWS_NOTES"


class Plugin(provider_pb2_grpc.ResourceProviderServicer):
    """Takes everything."""

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="7.51.1")

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        note({"provider": dict(request.variables)})
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptResources=True)

    def Check(self, request: Any, context: Any) -> Any:
        _, _, type_, name = request.urn.split("::")
        note({"type": type_.rpartition("$")[2], "name": name})
        return provider_pb2.CheckResponse(inputs=request.news)

    def Create(self, request: Any, context: Any) -> Any:
        made = struct_pb2.Struct()
        made.CopyFrom(request.properties)
        return provider_pb2.CreateResponse(id="" if request.preview else "made", properties=made)


def note(what: dict[str, Any]) -> None:
    with open(os.environ[NOTES], "a") as file:
        file.write(json.dumps(what) + "\n")


def write_launcher(directory: Path) -> Path:
    """Write the executable that the engine looks for on PATH; returns its directory."""
    directory.mkdir()
    file = directory / "pulumi-resource-aws"
    file.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(__file__)} "$@"\n')
    file.chmod(0o755)
    return directory


def environ(directory: Path) -> dict[str, str]:
    """Make Pulumi's variables for a stack of its own, whose state is in `<directory>/state`."""
    return {
        "PULUMI_HOME": str(directory / "home"),
        "PULUMI_BACKEND_URL": f"file://{directory / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        NOTES: str(directory / "notes"),
    }


def main() -> None:
    """Serve until the engine ends this process."""
    server = grpc.server(ThreadPoolExecutor(8))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Plugin(), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
