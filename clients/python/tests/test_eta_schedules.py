"""How eta follows a schedule, said to the scripted service."""

from __future__ import annotations

import grpc
import pytest
from fake_service import Refusal, knob, rewind, run_message

import pilothouse
from pilothouse.v1 import run_pb2
from pilothouse.v1 import training_control_pb2 as pb


def start(house, **arguments) -> pilothouse.Run:
    return house.start(net="2x1", data="xor.csv", loss="mse", **arguments)


def test_a_schedule_is_passed_on_as_it_is(service, house):
    start(house, eta=0.5, eta_schedule="50,0.01;70,0.005")
    start(house)
    first, second = (request.spec for request in service.requests["StartRun"])
    assert (first.eta, first.eta_schedule) == (0.5, "50,0.01;70,0.005")
    assert second.eta_schedule == ""


def test_a_schedule_that_cannot_be_read_is_an_error_of_its_own(service, house):
    code = grpc.StatusCode.INVALID_ARGUMENT
    service.answers["StartRun"] = [
        Refusal(code, "ETA_SCHEDULE_INVALID", "Entry 2 is no pair.", field="spec.eta_schedule")
    ]
    with pytest.raises(pilothouse.EtaScheduleInvalid, match="Entry 2") as caught:
        start(house, eta_schedule="50,0.01;70")
    assert caught.value.field == "spec.eta_schedule"
    assert isinstance(caught.value, ValueError)


def test_following_a_schedule_is_a_control(service, run):
    receipt = run.follow_eta_schedule(at_batch=70, note="long enough")
    (request,) = service.requests["SetEta"]
    assert (request.follow_schedule, request.eta) == (True, 0)
    assert (request.options.at_batch, request.options.note) == (70, "long enough")
    assert receipt.request_id == request.options.request_id
    run.set_eta(0.1)
    assert not service.requests["SetEta"][1].follow_schedule


def test_an_event_tells_an_eta_that_follows_its_schedule_from_one_that_was_set(service, run):
    events = [knob(1, "eta", 0.5, 0.25), knob(2, "eta", 0.25, 0.5, follow_schedule=True), rewind(3, 40, 20)]
    service.answers["ReadHistory"] = [pb.ReadHistoryResponse(events=events)]
    told = list(run.history())
    assert [event.follow_schedule for event in told] == [False, True, False]
    assert [event.value for event in told[:2]] == [0.5, 0.25]


def test_a_fork_takes_a_schedule(service, run):
    run.fork(at=20, eta_schedule="cosine over=9", eta=0.5)
    (request,) = service.requests["Fork"]
    assert (request.eta_schedule, request.knobs[0].name, request.knobs[0].value) == ("cosine over=9", "eta", 0.5)


def test_a_state_tells_the_schedule_and_whether_eta_follows_it(service, run):
    eta = run_pb2.Knob(name="eta", value=0.01, follows_schedule=True)
    spec = run_pb2.RunSpec(eta_schedule="50,0.01")
    message = run_message(eta=0.01, eta_follows_schedule=True, knobs=[eta], spec=spec)
    service.answers["GetState"] = [pb.GetStateResponse(run=message), pb.GetStateResponse(run=run_message())]
    state = run.state()
    assert (state.eta_schedule, state.eta_follows_schedule) == ("50,0.01", True)
    assert state.knobs["eta"].follows_schedule
    assert not run.state().eta_follows_schedule
