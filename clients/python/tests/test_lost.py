"""Watching and waiting for a run whose trainer dies and is started again, and that is taken back."""

from __future__ import annotations

import grpc
import pytest
from every_testing import ATTACHED_BATCH, listed, over, recording, snapshot
from fake_service import (
    Hold,
    Refusal,
    checkpoint,
    checkpoint_file,
    loss,
    output,
    rewind,
    run_message,
    status,
    unavailable,
)

import pilothouse
from pilothouse.v1 import control_pb2, event_pb2, run_pb2
from pilothouse.v1 import training_control_pb2 as pb


def at(name: str, batch: int, target: int, sequence: int = 4, **fields) -> pb.GetStateResponse:
    return pb.GetStateResponse(run=run_message(name, batch=batch, target=target, last_sequence=sequence, **fields))


def events(*content: event_pb2.Event) -> pb.WatchTrainingResponse:
    return pb.WatchTrainingResponse(events=content)


def test_a_watch_goes_on_over_a_lost_trainer_and_ends_with_the_run(service, run):
    lost = events(loss(1), status(2, "LOST", 10))
    beat = pb.WatchTrainingResponse(heartbeat=pb.Heartbeat(status=run_pb2.RUN_STATUS_LOST, batch=10))
    back = events(status(3, "TRAINING", 10), loss(4), status(5, "STOPPED", 40))
    service.answers["WatchTraining"] = [[pb.WatchTrainingResponse(snapshot=run_message()), lost, beat, back]]
    seen = list(run.watch())
    assert [event.sequence for event in seen if hasattr(event, "sequence")] == [1, 2, 3, 4, 5]
    assert [event.status for event in seen if hasattr(event, "status")] == ["LOST", "LOST", "TRAINING", "STOPPED"]


def test_a_watch_follows_a_run_that_is_taken_back(service, run):
    service.answers["WatchTraining"] = [
        [events(loss(1, 50), rewind(2, 55, 20)), unavailable()],
        [events(rewind(2, 55, 20), status(3, "IDLE", 20, "PAUSED"), loss(4, 21))],
    ]
    seen = list(run.watch(after_sequence=0))
    assert [(event.sequence, event.batch) for event in seen] == [(1, 50), (2, 55), (3, 20), (4, 21)]
    back = seen[1]
    assert (back.kind, back.name, back.value) == (pilothouse.ControlKind.REWIND, "rewind", 20)
    assert (back.previous_value, back.branch) == (55, "rewind-1")


def test_checkpoints_arrive_whether_written_or_not(service, run):
    asked = control_pb2.Change(checkpoint=control_pb2.CheckpointChange(pin=True))
    control = event_pb2.Event(sequence=1, batch=60, control=event_pb2.ControlReport(change=asked, value=60))
    service.answers["WatchTraining"] = [[events(control, checkpoint(2, 60), checkpoint(3, 90, "the disk is full"))]]
    change, written, failed = run.watch()
    assert (change.kind, change.name, change.value) == (pilothouse.ControlKind.CHECKPOINT, "checkpoint", 60)
    assert (written.written, written.checkpoint_batch, written.batch) == (True, 60, 61)
    assert (written.file, written.bytes, written.controls, written.line) == (checkpoint_file(60), 900, 2, 1)
    assert (written.held_up, written.writing, written.validation_loss) == (0.002, 0.25, None)
    assert (failed.written, failed.error, failed.file) == (False, "the disk is full", "")
    assert repr(written) == f"CheckpointEvent(2, batch 61, of batch 60: {checkpoint_file(60)}, 900 bytes)"
    assert repr(failed) == "CheckpointEvent(3, batch 91, of batch 90: failed: the disk is full)"


def test_waiting_goes_on_while_a_run_is_lost(service, run):
    service.answers["GetState"] = [at("TRAINING", 10, 50), at("LOST", 10, 50), at("LOST", 10, 50), at("IDLE", 50, 50)]
    beat = pb.WatchTrainingResponse(heartbeat=pb.Heartbeat(status=run_pb2.RUN_STATUS_LOST, batch=10))
    service.answers["WatchTraining"] = [
        [events(status(5, "LOST", 10))],
        [beat],
        [events(status(6, "TRAINING", 10), status(7, "IDLE", 50, "TARGET_REACHED"))],
    ]
    assert run.wait(timeout=60).batch == 50


def test_waiting_for_a_batch_goes_on_while_a_run_is_lost(service, run):
    service.answers["GetState"] = [at("LOST", 10, 50), at("TRAINING", 30, 50)]
    service.answers["WatchTraining"] = [[events(status(5, "TRAINING", 10), loss(6, 30)), Hold()]]
    assert run.wait(30, timeout=60).batch == 30


def test_waiting_ends_with_a_run_that_was_lost_for_good(service, run):
    service.answers["GetState"] = [at("LOST", 10, 50), at("FAILED", 10, 50, status_message="its data changed")]
    service.answers["WatchTraining"] = [[events(status(5, "FAILED", 10))]]
    state = run.wait(timeout=60)
    assert (state.status, state.status_message) == (pilothouse.RunStatus.FAILED, "its data changed")


def test_waiting_for_a_batch_goes_on_where_the_run_was_taken_back_before_it_was_noticed(service, run):
    service.answers["GetState"] = [at("TRAINING", 10, 50), at("TRAINING", 21, 50, 9), at("TRAINING", 40, 50, 12)]
    service.answers["WatchTraining"] = [
        [events(loss(5, 40), rewind(6, 45, 20))],
        [events(loss(10, 40)), Hold()],
    ]
    assert run.wait(40, timeout=60).batch == 40


def test_a_rewind_ends_a_wait_as_a_pause_does(service, run):
    paused = run_pb2.IDLE_REASON_PAUSED
    service.answers["GetState"] = [at("TRAINING", 40, 50), at("IDLE", 20, 20, 9, idle_reason=paused)]
    service.answers["WatchTraining"] = [[events(rewind(6, 45, 20), status(7, "IDLE", 20, "PAUSED")), Hold()]]
    state = run.wait(timeout=60)
    assert (state.batch, state.idle_reason) == (20, pilothouse.IdleReason.PAUSED)


def test_the_error_of_a_wait_says_where_a_rewind_has_taken_the_run(service, run):
    # The service says itself that the time is over, once it has sent all that is to be noticed.
    over = Refusal(grpc.StatusCode.DEADLINE_EXCEEDED)
    snapshot = pb.WatchTrainingResponse(snapshot=run_message("TRAINING", batch=40, target=50))
    service.answers["GetState"] = [at("TRAINING", 40, 50)]
    service.answers["WatchTraining"] = [[snapshot, events(rewind(6, 45, 20)), over]]
    with pytest.raises(pilothouse.DeadlineExceeded, match="still at batch 20 of 20"):
        run.wait(timeout=60)


def test_a_function_of_a_run_that_is_taken_back_to_before_its_plugin_was_attached_ends(script, run):
    script([snapshot(), events(output(8, "show-loss"), rewind(9, 90, ATTACHED_BATCH - 1)), Hold()])
    handle, recorder = recording(run)
    assert over(handle)
    assert recorder.sequences == [8]
    assert "taken back to before it was attached" in repr(handle)


def test_a_function_sees_again_what_a_run_that_was_taken_back_reports_again(service, script, run):
    hold = Hold()
    again = output(10, "show-loss")
    again.batch = 80
    script([snapshot(), events(output(8, "show-loss"), rewind(9, 90, ATTACHED_BATCH)), hold, events(again), Hold()])
    handle, recorder = recording(run)
    handle._await(lambda: handle._seen_batch == ATTACHED_BATCH, 60, "was not told")
    # The second report of batch 80 is not there yet, though there was one before.
    service.answers["GetState"] = [listed("show-loss", 80)]
    with pytest.raises(pilothouse.DeadlineExceeded):
        handle.join(0.1)
    hold.release()
    service.answers["GetState"] = [listed("show-loss", 80)]
    handle.join(60)
    assert recorder.sequences == [8, 10]
