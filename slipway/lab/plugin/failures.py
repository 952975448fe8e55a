"""Reports failures to the engine."""

from __future__ import annotations

from typing import NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2, status_pb2

#: What the engine takes as "nothing happened, and that is certain"; UNKNOWN would leave that open.
_CODE = grpc.StatusCode.FAILED_PRECONDITION
#: Where gRPC carries details of an error.
_DETAILS = "grpc-status-details-bin"


def fail(context: grpc.ServicerContext, message: str) -> NoReturn:
    """End a call: nothing was done."""
    context.abort(_CODE, message)
    raise AssertionError("abort raises")


def fail_partially(context: grpc.ServicerContext, id_: str, state: Struct, message: str) -> NoReturn:
    """End a call: the object exists, so its state is kept, yet it is not ready."""
    detail = AnyMessage()
    detail.Pack(provider_pb2.ErrorResourceInitFailed(id=id_, properties=state, reasons=[message]))
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=[detail])
    context.set_trailing_metadata(((_DETAILS, status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, message)
    raise AssertionError("abort raises")
