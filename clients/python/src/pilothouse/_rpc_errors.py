"""From the errors of gRPC to the exceptions of this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from pilothouse._outdated import outdated
from pilothouse.errors import BY_REASON, DeadlineExceeded, PilothouseError, RequestTooLarge, Unreachable

_DOMAIN = "pilothouse"
_DETAILS_KEY = "grpc-status-details-bin"


def from_rpc_error(error: grpc.RpcError, address: str) -> PilothouseError:
    """The typed exception for a failed call. A reason this version does not know becomes a plain PilothouseError."""
    text = error.details() or error.code().name
    details = _details_of(error)
    if details is not None:
        kind = BY_REASON.get(details.reason, PilothouseError)
        return kind(text, field=details.field, metadata=details.metadata, reason=details.reason)
    match error.code():
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return Unreachable(f"The service at {address} cannot be reached: {text}", metadata={"address": address})
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded(f"The service at {address} did not answer in time.", metadata={"address": address})
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            # The transport's own limit on a message, which stands before the service's.
            return RequestTooLarge(text)
        case grpc.StatusCode.UNIMPLEMENTED:
            return outdated(f"The service at {address} does not know this call", {"address": address})
        case code:
            return PilothouseError(f"{code.name}: {text}")


class _Details(NamedTuple):
    reason: str
    field: str
    metadata: Mapping[str, str]


def _details_of(error: grpc.RpcError) -> _Details | None:
    """The google.rpc details that came with an error; None if it was not the service that made it."""
    trailing: Any = error.trailing_metadata() or ()
    for key, value in trailing:
        if key != _DETAILS_KEY:
            continue
        try:
            return _parse_details(value)
        except DecodeError:  # another program's details, or damaged ones: the status itself still tells something
            return None
    return None


def _parse_details(value: bytes) -> _Details | None:
    info, field = None, ""
    for detail in status_pb2.Status.FromString(value).details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            candidate = error_details_pb2.ErrorInfo.FromString(detail.value)
            info = candidate if candidate.domain == _DOMAIN else info
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            violations = error_details_pb2.BadRequest.FromString(detail.value).field_violations
            field = violations[0].field if violations else field
    return None if info is None else _Details(info.reason, field, dict(info.metadata))
