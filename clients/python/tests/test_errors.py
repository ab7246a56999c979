from __future__ import annotations

import asyncio
import concurrent.futures
import socket
import time
import traceback
from collections.abc import Callable

import grpc
import pytest
from fake_service import Hold, Refusal, unavailable
from google.protobuf import any_pb2
from google.rpc import status_pb2

import pilothouse
from pilothouse import errors


def test_a_refusal_becomes_the_class_of_its_reason_with_field_and_metadata(service, run):
    service.answers["SetEta"] = [
        Refusal(grpc.StatusCode.INVALID_ARGUMENT, "ETA_INVALID", "eta must be above 0; got -1.", "eta", value="-1")
    ]
    with pytest.raises(pilothouse.EtaInvalid, match="above 0") as caught:
        run.set_eta(-1)
    assert caught.value.reason == "ETA_INVALID"
    assert caught.value.field == "eta"
    assert caught.value.metadata == {"value": "-1"}
    assert isinstance(caught.value.__context__, grpc.RpcError)


def _watch_and_wait_async(run: pilothouse.Run) -> None:
    async def first() -> pilothouse.Event:
        return await anext(run.watch())

    asyncio.run(first())


@pytest.mark.parametrize(
    ("method", "ask"),
    [
        ("GetState", lambda run: run.state()),
        ("SetEta", lambda run: run.set_eta(1)),
        ("WatchTraining", lambda run: next(run.watch())),
        ("WatchTraining", _watch_and_wait_async),
    ],
)
def test_a_traceback_ends_with_the_sentence_and_shows_no_other_error(
    service, run, method: str, ask: Callable[[pilothouse.Run], object]
):
    service.answers[method] = [Refusal(grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND", "No run is called digits.")]
    with pytest.raises(pilothouse.RunNotFound) as caught:
        ask(run)
    lines = "".join(traceback.format_exception(caught.value)).splitlines()
    assert lines[-1] == "pilothouse.errors.RunNotFound: No run is called digits."
    assert not [line for line in lines if "/grpc/" in line or "RpcError" in line or "exception" in line]


def test_the_tracebacks_of_a_connection_that_fails_and_of_a_closed_one_show_no_other_error(service, house, run):
    service.answers["ListRuns"] = [unavailable()]
    with pytest.raises(pilothouse.Unreachable) as away:
        pilothouse.connect(service.address)
    hold = Hold()
    service.answers["GetState"] = [hold]
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        asked = executor.submit(run.state)
        assert hold.reached.wait(60)
        house.close()
        closed = asked.exception(60)
    assert isinstance(closed, pilothouse.HouseClosed)
    for error in (away.value, closed):
        assert "_InactiveRpcError" not in "".join(traceback.format_exception(error))


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
    assert isinstance(caught.value.__context__, grpc.RpcError)
    with pytest.raises(pilothouse.DeadlineExceeded):
        run.state()


def test_a_message_over_the_transports_limit_is_a_request_too_large(service, run):
    service.answers["GetState"] = [Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, text="Received message larger than max")]
    with pytest.raises(pilothouse.RequestTooLarge):
        run.state()


@pytest.mark.parametrize(
    ("method", "ask"),
    [
        ("Evaluate", lambda house, run: run.evaluate()),
        ("SetEta", lambda house, run: run.set_eta(1)),
        ("WatchTraining", lambda house, run: next(run.watch())),
        ("UploadDataset", lambda house, run: house.upload(([[1]], [1]))),
        ("ListPluginKinds", lambda house, run: house.plugin_kinds()),
    ],
)
def test_a_service_that_does_not_know_a_call_is_older(service, house, run, method, ask):
    service.answers[method] = [Refusal(grpc.StatusCode.UNIMPLEMENTED, text="Method not found!")]
    with pytest.raises(pilothouse.ServiceOutdated) as caught:
        ask(house, run)
    assert str(caught.value) == (
        f"The service at {service.address} does not know this call: it is older than this package. Restart it with the "
        "programs of this version."
    )
    assert (caught.value.reason, caught.value.metadata) == ("", {"address": service.address})
    assert len(service.requests[method]) == 1


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
