from __future__ import annotations

import socket
import time

import grpc
import pytest
from fake_service import Refusal
from google.protobuf import any_pb2
from google.rpc import status_pb2

import pilothouse
from pilothouse import errors


def test_a_refusal_becomes_the_class_of_its_reason_with_field_metadata_and_cause(service, run):
    service.answers["SetEta"] = [
        Refusal(grpc.StatusCode.INVALID_ARGUMENT, "ETA_INVALID", "eta must be above 0; got -1.", "eta", value="-1")
    ]
    with pytest.raises(pilothouse.EtaInvalid, match="above 0") as caught:
        run.set_eta(-1)
    assert caught.value.reason == "ETA_INVALID"
    assert caught.value.field == "eta"
    assert caught.value.metadata == {"value": "-1"}
    assert isinstance(caught.value.__cause__, grpc.RpcError)


@pytest.mark.parametrize("reason", sorted(errors.BY_REASON))
def test_each_reason_arrives_as_its_class(service, run, reason):
    service.answers["GetState"] = [Refusal(grpc.StatusCode.FAILED_PRECONDITION, reason)]
    with pytest.raises(errors.BY_REASON[reason]) as caught:
        run.state()
    assert type(caught.value) is errors.BY_REASON[reason]


def test_a_reason_of_a_newer_service_is_kept_in_the_base_class(service, run):
    service.answers["GetState"] = [Refusal(grpc.StatusCode.FAILED_PRECONDITION, "TOO_MODERN")]
    with pytest.raises(pilothouse.PilothouseError) as caught:
        run.state()
    assert type(caught.value) is pilothouse.PilothouseError
    assert caught.value.reason == "TOO_MODERN"


def _damaged_info() -> bytes:
    """A status that can be read, with an ErrorInfo in it that cannot."""
    detail = any_pb2.Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\x0a\xff")
    return status_pb2.Status(code=3, details=[detail]).SerializeToString()


@pytest.mark.parametrize("details", [b"\xff\xff\xff", b"\x0a", b"\x12\x01\xe9", _damaged_info()])
def test_details_that_cannot_be_read_leave_the_plain_status(service, run, details):
    service.answers["GetState"] = [
        Refusal(grpc.StatusCode.INVALID_ARGUMENT, text="no such thing", raw_details=details),
        Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, raw_details=details),
    ]
    with pytest.raises(pilothouse.PilothouseError, match="INVALID_ARGUMENT: no such thing") as caught:
        run.state()
    assert type(caught.value) is pilothouse.PilothouseError
    assert (caught.value.reason, caught.value.field, caught.value.metadata) == ("", "", {})
    assert isinstance(caught.value.__cause__, grpc.RpcError)
    with pytest.raises(pilothouse.DeadlineExceeded):
        run.state()


def test_a_message_over_the_transports_limit_is_a_request_too_large(service, run):
    service.answers["GetState"] = [Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, text="Received message larger than max")]
    with pytest.raises(pilothouse.RequestTooLarge):
        run.state()


def test_connecting_where_nobody_listens_says_at_once_how_to_start_a_service():
    with socket.socket() as taken:  # bound and not listening: refused for certain
        taken.bind(("127.0.0.1", 0))
        begin = time.monotonic()
        with pytest.raises(pilothouse.Unreachable, match="pilothoused --data"):
            pilothouse.connect(f"127.0.0.1:{taken.getsockname()[1]}")
    assert time.monotonic() - begin < 10


def test_connecting_to_another_grpc_service_says_that_it_is_none_of_ours(service):
    service.answers["ListRuns"] = [Refusal(grpc.StatusCode.UNIMPLEMENTED)]
    with pytest.raises(pilothouse.Unreachable, match="no pilothoused"):
        pilothouse.connect(service.address)


def test_the_address_comes_from_the_environment_where_none_is_given(service, monkeypatch):
    monkeypatch.setenv("PILOTHOUSE_ADDRESS", service.address)
    with pilothouse.connect() as house:
        assert house.address == service.address


def test_a_closed_house_makes_no_calls_and_may_be_closed_again(house, run):
    house.close()
    house.close()
    with pytest.raises(pilothouse.HouseClosed):
        run.state()
    with pytest.raises(pilothouse.HouseClosed):
        run.watch()
