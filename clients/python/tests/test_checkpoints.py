"""Checkpoints, rewinds and forks, as the scripted service answers them."""

from __future__ import annotations

import pickle
from pathlib import Path

import grpc
import pytest
from fake_service import Refusal, checkpoint_file, run_message, unavailable

import pilothouse
from pilothouse.v1 import checkpoint_pb2
from pilothouse.v1 import training_control_pb2 as pb

DIRECTORY = "/data/runs/digits"


def in_its_directory(service, **fields) -> None:
    service.answers["GetState"] = [pb.GetStateResponse(run=run_message(directory=DIRECTORY, **fields))]


def test_a_checkpoint_has_its_path_and_the_receipt_of_its_control(service, run):
    in_its_directory(service)
    made = run.checkpoint(pin=True, note="before the holidays")
    (request,) = service.requests["SaveCheckpoint"]
    assert (request.pin, request.options.note) == (True, "before the holidays")
    assert (made.batch, made.bytes, made.pinned, made.validation_loss) == (70, 900, True, None)
    assert made.path == Path(DIRECTORY) / checkpoint_file(70)
    assert (made.receipt.control_id, made.receipt.applied_batch, made.receipt.value) == (7, 70, 70)
    assert made.receipt.request_id == request.options.request_id != ""


def test_where_a_run_lives_is_asked_once(service, house, run):
    in_its_directory(service)
    run.state()
    run.checkpoint()
    run.checkpoints()
    assert len(service.requests["GetState"]) == 1


def test_checkpoints_are_listed_as_the_service_orders_them(service, run):
    in_its_directory(service)
    best = checkpoint_pb2.Checkpoint(batch=50, file=checkpoint_file(50), validation_loss=0.25, sequence=9)
    old = checkpoint_pb2.Checkpoint(batch=60, file=checkpoint_file(60), branch="rewind-1")
    service.answers["ListCheckpoints"] = [pb.ListCheckpointsResponse(checkpoints=[best, old])]
    first, second = run.checkpoints()
    assert (first.batch, first.validation_loss, first.branch, first.sequence) == (50, 0.25, "", 9)
    assert (second.batch, second.branch, second.time, second.receipt) == (60, "rewind-1", None, None)


def test_a_list_tells_which_checkpoints_are_of_no_use(service, run):
    in_its_directory(service)
    conditions = ["PRESENT", "DAMAGED", "GONE", "UNSPECIFIED"]
    service.answers["ListCheckpoints"] = [
        pb.ListCheckpointsResponse(
            checkpoints=[checkpoint_pb2.Checkpoint(condition=f"CHECKPOINT_CONDITION_{name}") for name in conditions]
        )
    ]
    assert [checkpoint.condition for checkpoint in run.checkpoints()] == conditions


def test_a_checkpoint_that_cannot_be_written_is_an_error(service, run):
    service.answers["SaveCheckpoint"] = [
        Refusal(grpc.StatusCode.FAILED_PRECONDITION, "SAVE_FAILED", "The disk is full.")
    ]
    with pytest.raises(pilothouse.SaveFailed, match="disk is full"):
        run.checkpoint()


def test_a_rewind_tells_the_branch_that_holds_what_came_after(service, run):
    receipt = run.rewind(40, branch="too-bold")
    (request,) = service.requests["Rewind"]
    assert (request.batch, request.branch) == (40, "too-bold")
    assert (receipt.value, receipt.branch) == (40, "too-bold")
    assert run.rewind(30).branch == "rewind-1"
    assert service.requests["Rewind"][1].branch == ""


def test_other_receipts_name_no_branch(run):
    assert run.pause().branch == ""
    stopped = run.stop()
    assert stopped.branch == ""
    assert pickle.loads(pickle.dumps(stopped)) == stopped


def test_a_rewind_is_asked_for_again_with_the_same_request_id_while_the_run_is_lost(service, run):
    service.answers["Rewind"] = [unavailable("TRAINER_UNAVAILABLE")] * 3
    receipt = run.rewind(40)
    assert [asked.options.request_id for asked in service.requests["Rewind"]] == [receipt.request_id] * 4


@pytest.mark.parametrize("steer", [lambda run: run.checkpoint(), lambda run: run.rewind(1), lambda run: run.set_eta(1)])
def test_a_run_that_stays_lost_is_given_up_at_the_timeout(service, run, steer):
    lost = Refusal(grpc.StatusCode.UNAVAILABLE, "TRAINER_UNAVAILABLE", run_id="digits", status="LOST")
    for method in ("SaveCheckpoint", "Rewind", "SetEta"):
        service.answers[method] = [lost] * 1000
    run._connection.timeout = 1
    with pytest.raises(pilothouse.TrainerUnavailable) as caught:
        steer(run)
    assert caught.value.metadata["status"] == "LOST"


def test_a_fork_asks_for_what_was_said_and_for_nothing_else(service, run):
    service.requests.clear()
    run.fork()
    (request,) = service.requests["Fork"]
    assert request == pb.ForkRequest(run_id="digits", request_id=request.request_id)
    assert request.request_id


def test_a_fork_can_differ_in_knobs_plugins_and_order(service, run):
    fork = run.fork(
        at=40,
        branch="too-bold",
        run_id="calm",
        eta=0.01,
        knobs={"loss_every": 1},
        seed=7,
        keep_order=False,
        detach="early-stopping",
        plugins=[pilothouse.Plugin("validate", "each(10)"), "checkpoint"],
        batch_to=90,
    )
    (request,) = service.requests["Fork"]
    assert (request.batch, request.branch, request.new_run_id, request.target) == (40, "too-bold", "calm", 90)
    assert {change.name: change.value for change in request.knobs} == {"eta": 0.01, "loss_every": 1}
    assert (request.seed, request.keep_order, request.HasField("keep_order")) == (7, False, True)
    assert list(request.detach_plugins) == ["early-stopping"]
    assert [plugin.kind for plugin in request.attach_plugins] == ["validate", "checkpoint"]
    assert fork.run_id == "calm"


def test_a_fork_can_be_told_how_many_batches_to_train(service, run):
    run.fork(train=10)
    (request,) = service.requests["Fork"]
    assert (request.more, request.HasField("target")) == (10, False)


def test_a_fork_is_a_run_that_knows_where_it_lives(service, run):
    fork = run.fork(at=40)
    assert type(fork) is pilothouse.Run
    assert fork.checkpoint().path.parent == Path("/data/runs/fork/checkpoints")
    assert "GetState" not in service.requests


def test_an_eta_that_is_given_twice_is_a_type_error(service, run):
    with pytest.raises(TypeError, match="twice"):
        run.fork(eta=0.1, knobs={"eta": 0.2})
    with pytest.raises(TypeError, match="whole number"):
        run.fork(at=1.5)
    assert "Fork" not in service.requests


def test_the_state_tells_where_a_run_comes_from_and_what_it_was_taken_back_from(service, run):
    branch = checkpoint_pb2.Branch(name="rewind-1", from_batch=40, through_batch=90)
    message = run_message(
        "LOST",
        parent=checkpoint_pb2.Lineage(run_id="old", batch=30, branch="b"),
        branches=[branch],
        checkpoint_batch=0,
        restarts=2,
    )
    message.checkpoint_time.FromSeconds(1_700_000_000)
    service.answers["GetState"] = [pb.GetStateResponse(run=message), pb.GetStateResponse(run=run_message())]
    state = run.state()
    assert state.parent == pilothouse.Lineage("old", 30, "b")
    assert state.branches == (pilothouse.Branch("rewind-1", 40, 90, None),)
    assert (state.checkpoint_batch, state.checkpoint_time.timestamp(), state.restarts) == (0, 1_700_000_000, 2)
    plain = run.state()
    assert (plain.parent, plain.branches, plain.checkpoint_batch, plain.checkpoint_time) == (None, (), None, None)


def start(house, **arguments) -> None:
    house.start(net="2x1", data="xor.csv", loss="mse", **arguments)


def test_when_checkpoints_are_made_is_left_to_the_service_unless_it_is_said(service, house):
    start(house)
    assert not service.requests["StartRun"][0].spec.HasField("checkpoints")
    start(house, checkpoints=pilothouse.Checkpoints(interval=90, every=100, keep_last=5, keep_every=1000))
    spec = service.requests["StartRun"][1].spec.checkpoints
    assert (spec.interval.seconds, spec.every, spec.keep_last, spec.keep_every) == (90, 100, 5, 1000)
    assert not spec.HasField("keep_best")
    start(house, checkpoints=pilothouse.Checkpoints(interval=0, keep_best=False))
    spec = service.requests["StartRun"][2].spec.checkpoints
    assert (spec.HasField("interval"), spec.interval.seconds) == (True, 0)
    assert (spec.HasField("keep_best"), spec.keep_best) == (True, False)


@pytest.mark.parametrize(
    ("name", "value"), [("keep_last", 0), ("keep_last", 2**40), ("interval", 1e9), ("interval", float("nan"))]
)
def test_a_number_of_checkpoints_outside_its_range_is_refused_here(service, house, name, value):
    with pytest.raises(pilothouse.CheckpointsInvalid) as caught:
        start(house, checkpoints=pilothouse.Checkpoints(**{name: value}))
    assert caught.value.field == f"spec.checkpoints.{name}"
    assert caught.value.metadata == {"value": str(value)}
    assert "StartRun" not in service.requests


def test_what_is_no_checkpoints_is_a_type_error(house):
    with pytest.raises(TypeError, match="Checkpoints"):
        start(house, checkpoints=60)
