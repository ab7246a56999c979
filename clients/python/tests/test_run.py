from __future__ import annotations

import math
import threading

import grpc
import numpy as np
import pytest
from fake_service import Hold, Refusal, loss, run_message, status, unavailable

import pilothouse
from pilothouse.v1 import control_pb2, event_pb2, run_pb2, tensor_pb2
from pilothouse.v1 import training_control_pb2 as pb


def test_a_control_returns_its_receipt(service, run):
    receipt = run.set_eta(0.01, note="too noisy", at_batch=70)
    assert (receipt.control_id, receipt.applied_batch, receipt.value) == (7, 70, 0.01)
    options = service.requests["SetEta"][0].options
    assert options.request_id == receipt.request_id != ""
    assert (options.at_batch, options.note) == (70, "too noisy")
    assert options.origin.endswith("/python")


def test_a_control_without_at_batch_leaves_it_unset(service, run):
    run.pause()
    assert not service.requests["BatchTo"][0].options.HasField("at_batch")


@pytest.mark.parametrize(
    ("steer", "goal"),
    [
        (lambda run: run.batch_to(50), "batch"),
        (lambda run: run.train(50), "more"),
        (lambda run: run.pause(), "pause"),
        (lambda run: run.resume(), "resume"),
    ],
)
def test_each_way_to_set_the_target_is_its_own_goal(service, run, steer, goal):
    steer(run)
    assert service.requests["BatchTo"][0].target.WhichOneof("goal") == goal


def test_knobs_are_set_by_name(service, run):
    assert run.set("loss_every", 1).value == 1
    assert service.requests["SetKnob"][0].name == "loss_every"


def test_stop_tells_the_final_batch_and_loss(run):
    stopped = run.stop()
    assert (stopped.final_batch, stopped.final_loss, stopped.value) == (70, 0.25, 70)


def test_a_control_is_repeated_with_the_same_request_id_while_the_service_is_unavailable(service, run):
    service.answers["SetEta"] = [unavailable(), unavailable("TRAINER_UNAVAILABLE")]
    receipt = run.set_eta(0.5)
    ids = [request.options.request_id for request in service.requests["SetEta"]]
    assert ids == [receipt.request_id] * 3


def test_a_control_without_request_id_is_not_repeated(service, run):
    service.answers["SetEta"] = [unavailable()]
    with pytest.raises(pilothouse.Unreachable):
        run.set_eta(0.5, request_id="")
    assert len(service.requests["SetEta"]) == 1


def test_a_service_that_stays_unavailable_is_given_up_at_the_timeout_with_its_reason(service, run):
    service.answers["SetEta"] = [unavailable("JOURNAL_FAILED")] * 1000
    with pytest.raises(pilothouse.JournalFailed):
        run.set_eta(0.5, timeout=2)
    assert len(service.requests["SetEta"]) > 1


def test_a_refused_control_is_not_repeated(service, run):
    service.answers["BatchTo"] = [Refusal(grpc.StatusCode.FAILED_PRECONDITION, "RUN_ENDED")]
    with pytest.raises(pilothouse.RunEnded):
        run.batch_to(50)
    assert len(service.requests["BatchTo"]) == 1


def test_an_answer_that_does_not_come_in_time_leaves_the_request_id_to_ask_again_with(service, run):
    service.answers["SetEta"] = [Hold()]
    with pytest.raises(pilothouse.DeadlineExceeded) as caught:
        run.set_eta(0.5, timeout=2)
    assert caught.value.metadata["request_id"] == service.requests["SetEta"][0].options.request_id


@pytest.mark.parametrize("batch", [50.5, "50", None, math.nan])
def test_a_target_that_is_no_whole_number_is_a_type_error(service, run, batch):
    with pytest.raises(TypeError, match="whole number"):
        run.batch_to(batch)
    assert "BatchTo" not in service.requests


def test_a_target_too_large_for_the_wire_is_refused_here(run):
    with pytest.raises(pilothouse.TargetInvalid):
        run.batch_to(2**64)


def test_numpy_numbers_are_numbers(service, run):
    run.batch_to(np.int64(50))
    run.set_eta(np.float32(0.5))
    assert service.requests["BatchTo"][0].target.batch == 50


def test_the_state_is_a_plain_value(service, run):
    message = run_message(
        "IDLE",
        idle_reason=run_pb2.IDLE_REASON_PAUSED,
        batch=5,
        target=5,
        resume_target=50,
        loss=-1.0,
        eta=0.1,
        last_sequence=3,
        knobs=[run_pb2.Knob(name="eta", value=0.1, minimum=0, maximum=10, description="learning rate")],
    )
    message.create_time.FromSeconds(1_700_000_000)
    vector = tensor_pb2.Tensor(
        element_type=tensor_pb2.ELEMENT_TYPE_FLOAT64, shape=[3], data=np.array([1.0, 2.0, 3.0]).tobytes()
    )
    service.answers["GetState"] = [pb.GetStateResponse(run=message, state=vector)]
    state = run.state(vector=True)
    assert service.requests["GetState"][0].include_state_vector
    assert state.status is pilothouse.RunStatus.IDLE
    assert not state.status.ended
    assert state.idle_reason is pilothouse.IdleReason.PAUSED
    assert (state.batch, state.target, state.resume_target, state.loss) == (5, 5, 50, -1)
    assert state.knobs["eta"].maximum == 10
    assert state.facts.parameters == 9
    assert state.create_time.timestamp() == 1_700_000_000
    assert state.end_time is None
    assert state.vector.dtype == np.float64
    assert state.vector.tolist() == [1, 2, 3]


def test_a_status_of_a_newer_service_is_unspecified(service, run):
    service.answers["GetState"] = [pb.GetStateResponse(run=run_pb2.Run(run_id="digits", status=99))]
    assert run.state().status is pilothouse.RunStatus.UNSPECIFIED


def test_large_predictions_are_asked_for_in_pieces(service, run):
    inputs = np.zeros((300_000, 8), dtype=np.float32)  # 9.6 MB, above what one request carries
    assert run.predict(inputs).shape == (300_000, 1)
    pieces = service.requests["Predict"]
    assert len(pieces) > 1
    assert sum(piece.inputs.shape[0] for piece in pieces) == 300_000
    assert max(len(piece.inputs.data) for piece in pieces) <= 16 << 20


def test_predictions_follow_the_number_of_dimensions_of_their_inputs(run):
    assert run.predict([[1, 2], [3, 4]]).shape == (2, 1)
    assert run.predict([1, 2]).shape == (1,)
    with pytest.raises(pilothouse.ArrayShapeInvalid):
        run.predict(np.zeros((1, 2, 3)))
    with pytest.raises(pilothouse.ArrayDtypeInvalid):
        run.predict(["one", "two"])


def training(batch: int, target: int, sequence: int) -> pb.GetStateResponse:
    return pb.GetStateResponse(run=run_message("TRAINING", batch=batch, target=target, last_sequence=sequence))


def idle(batch: int, target: int, reason: str = "TARGET_REACHED") -> pb.GetStateResponse:
    reason_number = run_pb2.IdleReason.Value(f"IDLE_REASON_{reason}")
    return pb.GetStateResponse(run=run_message("IDLE", batch=batch, target=target, idle_reason=reason_number))


def test_waiting_ends_when_the_run_is_idle_and_watches_only_from_the_state_on(service, run):
    service.answers["GetState"] = [training(10, 50, 4), idle(50, 50)]
    snapshot = pb.WatchTrainingResponse(snapshot=run_message())
    events = pb.WatchTrainingResponse(events=[loss(5, 50, at_target=True), status(6, "IDLE", 50, "TARGET_REACHED")])
    service.answers["WatchTraining"] = [[snapshot, events, Hold()]]
    assert run.wait(timeout=60).batch == 50
    assert service.requests["WatchTraining"][0].after_sequence == 4


def test_waiting_does_not_take_a_run_that_is_about_to_wake_up_for_an_idle_one(service, run):
    service.answers["GetState"] = [idle(50, 100), idle(100, 100)]
    service.answers["WatchTraining"] = [
        [pb.WatchTrainingResponse(events=[status(6, "TRAINING", 50), status(7, "IDLE", 100)])]
    ]
    assert run.wait(timeout=60).batch == 100


def test_waiting_for_a_batch_ends_when_it_is_completed(service, run):
    service.answers["GetState"] = [training(10, 50, 4), training(31, 50, 9)]
    service.answers["WatchTraining"] = [[pb.WatchTrainingResponse(events=[loss(5, 20), loss(6, 30)]), Hold()]]
    assert run.wait(30, timeout=60).batch == 31


def test_waiting_ends_with_the_run(service, run):
    failed = pb.GetStateResponse(run=run_message("FAILED", batch=20, target=50, status_message="killed"))
    service.answers["GetState"] = [training(10, 50, 4), failed]
    service.answers["WatchTraining"] = [[pb.WatchTrainingResponse(events=[status(5, "FAILED", 20)])]]
    state = run.wait(timeout=60)
    assert state.status is pilothouse.RunStatus.FAILED
    assert state.status_message == "killed"


def test_waiting_too_long_is_an_error(service, run):
    service.answers["GetState"] = [training(10, 50, 4)]
    service.answers["WatchTraining"] = [[pb.WatchTrainingResponse(snapshot=run_message("TRAINING")), Hold()]]
    with pytest.raises(pilothouse.DeadlineExceeded):
        run.wait(timeout=0.3)


def test_the_error_says_where_the_run_was_last_and_that_waiting_goes_on(service, run):
    # The service says itself that the time is over, once it has sent all that is to be noticed.
    over = Refusal(grpc.StatusCode.DEADLINE_EXCEEDED)
    moved = control_pb2.Change(target=control_pb2.TargetChange(batch=90))
    control = event_pb2.Event(sequence=6, batch=20, control=event_pb2.ControlReport(change=moved, value=90))
    snapshot = pb.WatchTrainingResponse(snapshot=run_message("TRAINING", batch=20, target=50))
    events = pb.WatchTrainingResponse(events=[loss(5, 10), control, loss(7, 30)])
    service.answers["GetState"] = [training(10, 50, 4)]
    service.answers["WatchTraining"] = [[snapshot, events, over]]
    with pytest.raises(pilothouse.DeadlineExceeded) as caught:
        run.wait(timeout=60)
    assert str(caught.value) == "Run digits is still at batch 30 of 90 after 60 s; wait() can be called again."
    assert caught.value.metadata == {"run_id": "digits", "batch": "30", "target": "90", "timeout": "60"}


def test_a_state_that_comes_too_late_ends_the_wait_likewise(service, run):
    service.answers["GetState"] = [training(10, 50, 4), Refusal(grpc.StatusCode.DEADLINE_EXCEEDED)]
    service.answers["WatchTraining"] = [[pb.WatchTrainingResponse(events=[status(5, "IDLE", 20)])]]
    with pytest.raises(pilothouse.DeadlineExceeded, match="still at batch 20 of "):
        run.wait(timeout=60)


@pytest.mark.parametrize(
    ("states", "watches"),
    [
        ([Refusal(grpc.StatusCode.DEADLINE_EXCEEDED)], []),
        ([], [[Refusal(grpc.StatusCode.DEADLINE_EXCEEDED)]]),
        (
            [],
            [
                [pb.WatchTrainingResponse(snapshot=run_message("TRAINING")), unavailable()],
                [Refusal(grpc.StatusCode.DEADLINE_EXCEEDED)],
            ],
        ),
    ],
    ids=["state", "watch", "broken watch"],
)
def test_a_service_that_does_not_answer_a_wait_is_told_from_a_run_that_is_not_there_yet(service, run, states, watches):
    service.answers["GetState"] = states or [training(10, 50, 4)]
    service.answers["WatchTraining"] = watches
    with pytest.raises(pilothouse.DeadlineExceeded, match="did not answer in time"):
        run.wait(timeout=60)


def test_one_run_may_be_steered_by_many_threads(service, run):
    threads = [threading.Thread(target=run.set_eta, args=(0.1,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({request.options.request_id for request in service.requests["SetEta"]}) == 20
