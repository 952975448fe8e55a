"""Failures as gRPC statuses for the engine."""

from __future__ import annotations

from typing import NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2, status_pb2

#: Status that the engine reads as "certainly nothing was done"; UNKNOWN would leave that open.
_CODE = grpc.StatusCode.FAILED_PRECONDITION
#: Metadata key of an error's details in gRPC.
_DETAILS = "grpc-status-details-bin"


def fail(context: grpc.ServicerContext, message: str) -> NoReturn:
    """End a call of which nothing was done."""
    context.abort(_CODE, message)
    raise AssertionError("abort raises")


def fail_partially(context: grpc.ServicerContext, id_: str, state: Struct, message: str) -> NoReturn:
    """End a call whose object exists but is not ready; its state is kept."""
    detail = AnyMessage()
    detail.Pack(provider_pb2.ErrorResourceInitFailed(id=id_, properties=state, reasons=[message]))
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=[detail])
    context.set_trailing_metadata(((_DETAILS, status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, message)
    raise AssertionError("abort raises")
