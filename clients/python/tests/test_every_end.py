from __future__ import annotations

import subprocess
import sys
import threading

import grpc
import pytest
from every_testing import PATIENCE, detachment, events, held, listed, over, recording, snapshot
from fake_service import Hold, Refusal, failure, output

import pilothouse
from pilothouse import functions
from pilothouse.v1 import training_control_pb2 as pb

# Ending


def test_detaching_delivers_what_was_reported_before(service, script, run):
    hold = Hold()
    script(
        [
            snapshot(),
            events(output(8, "look")),
            hold,
            events(output(9, "look"), detachment(10, "look"), output(11, "look")),
        ]
    )
    handle, recorder, entered, go = held(run)
    assert entered.wait(PATIENCE)
    handle.detach()
    (detach,) = service.requests["DetachPlugin"]
    assert detach.name == "look"
    hold.release()
    handle._await(lambda: handle._end == "detached", PATIENCE, "does not end")
    assert not handle.ended
    assert "its last call is due" in repr(handle)
    go.set()
    assert over(handle)
    assert recorder.sequences == [8, 9]
    handle.detach()
    assert len(service.requests["DetachPlugin"]) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(grpc.StatusCode.NOT_FOUND, "PLUGIN_NOT_FOUND"),
        Refusal(grpc.StatusCode.FAILED_PRECONDITION, "RUN_ENDED"),
    ],
    ids=lambda refusal: refusal.reason,
)
def test_a_plugin_that_others_detached_or_a_run_that_ended_is_no_error(service, script, run, refusal):
    hold = Hold()
    script([snapshot(), hold, events(detachment(9, "other"), detachment(10, "show-loss"))])
    handle, _ = recording(run)
    service.answers["DetachPlugin"] = [refusal]
    handle.detach()
    handle.detach()
    assert len(service.requests["DetachPlugin"]) == 1
    hold.release()
    assert over(handle)
    assert "detached" in repr(handle)


def test_a_plugin_that_the_trainer_detached_ends_its_function(script, run):
    script([snapshot(), events(failure(8, "show-loss"), failure(9, "show-loss", 3, detached=True)), Hold()])
    handle, recorder = recording(run)
    assert over(handle)
    assert recorder.events == []
    assert "detached by the trainer: took too long" in repr(handle)


def test_leaving_the_block_detaches_and_waits_for_the_last_call(service, script, run):
    hold = Hold()
    script([snapshot(), hold, events(output(8, "show-loss"), detachment(9, "show-loss")), Hold()])
    handle, recorder = recording(run)
    with handle as same:
        assert same is handle
        hold.release()
    assert handle.ended
    assert recorder.sequences == [8]


def test_the_function_can_detach_itself(service, script, run):
    hold = Hold()
    decorated = Hold()
    script([snapshot(), decorated, events(output(8, "once")), hold, events(detachment(9, "once"))])

    @run.every("each(10)")
    def once(event, run):
        once.detach()
        hold.release()

    decorated.release()
    assert over(once)
    assert (once.calls, len(service.requests["DetachPlugin"])) == (1, 1)


@pytest.fixture
def patient_leave(monkeypatch):
    """Gives who leaves all the time that a slow machine may need."""
    monkeypatch.setattr(functions, "LEAVE_TIMEOUT", PATIENCE)


def test_closing_the_house_detaches_it(service, house, script, run, patient_leave):
    script([snapshot(), events(output(8, "show-loss")), Hold()])
    handle, _ = recording(run)
    handle._await(lambda: handle.calls == 1, PATIENCE, "was not called")
    house.close()
    handle._await(handle._over, PATIENCE, "does not end")
    assert [request.name for request in service.requests["DetachPlugin"]] == ["show-loss"]
    with pytest.raises(pilothouse.HouseClosed):
        run.state()


def test_closing_the_house_while_it_is_attached_detaches_it(service, house, run, patient_leave, monkeypatch):
    attach = run.attach

    def attach_and_close(*arguments, **more):
        receipt = attach(*arguments, **more)
        house.close()
        return receipt

    monkeypatch.setattr(run, "attach", attach_and_close)
    with pytest.raises(pilothouse.HouseClosed):
        recording(run)
    assert [request.name for request in service.requests["DetachPlugin"]] == ["show-loss"]


def test_closing_the_house_lets_all_leave_although_one_cannot(service, house, script, run, patient_leave, caplog):
    def fail():
        raise KeyError("no way out")

    run._connection.before_close("first", fail)
    script([snapshot(), Hold()])
    handle, _ = recording(run)
    run._connection.before_close("last", fail)
    house.close()
    handle._await(handle._over, PATIENCE, "does not end")
    assert [request.name for request in service.requests["DetachPlugin"]] == ["show-loss"]
    assert caplog.text.count("did not leave") == 2
    assert run._connection.closed


def test_who_comes_while_the_house_is_closed_leaves_too_and_after_it_is_refused(run):
    left = []
    run._connection.before_close("early", lambda: run._connection.before_close("late", lambda: left.append("late")))
    run._connection.close()
    assert left == ["late"]
    with pytest.raises(pilothouse.HouseClosed):
        run._connection.before_close("too late", lambda: left.append("too late"))
    run._connection.before_close("too late", None)


def test_who_closes_a_house_that_is_being_closed_waits_until_all_have_left(house, run):
    answered = []

    def leave():
        second.start()
        second.join(0.1)  # would be over long before, did it not wait
        answered.append(run.state())

    second = threading.Thread(target=house.close)
    run._connection.before_close("slow", leave)
    house.close()
    second.join(PATIENCE)
    assert len(answered) == 1
    assert not second.is_alive()


def test_closing_the_house_of_a_function_that_has_ended_delivers_its_last_report(house, script, run):
    rest = Hold()
    script([snapshot(), events(output(8, "look")), rest, events(output(9, "look"))])
    handle, recorder, entered, go = held(run)
    assert entered.wait(PATIENCE)
    rest.release()
    handle._await(lambda: bool(handle._end), PATIENCE, "does not end")
    house.close()
    go.set()
    assert over(handle)
    assert recorder.sequences == [8, 9]


def test_a_house_whose_service_is_away_closes_all_the_same(service, house, script, run):
    script([snapshot(), Hold()])
    handle, _ = recording(run)
    service.stop()
    house.close()
    handle._await(handle._over, PATIENCE, "does not end")
    service.start()


SCRIPT = """
import threading
import pilothouse
from pilothouse import functions

functions.LEAVE_TIMEOUT = {patience}
run = pilothouse.connect("{address}", timeout={patience}).run("digits")
called = threading.Event()

@run.every("each(10)")
def stuck(event, run):
    called.set()
    threading.Event().wait()

assert called.wait({patience})
print("called", flush=True)
"""


def test_python_ends_although_a_function_hangs(service, script):
    script([snapshot(), events(output(8, "stuck")), Hold()])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(address=service.address, patience=PATIENCE)],
        timeout=3 * PATIENCE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "called\n"), done.stderr
    assert "Traceback" not in done.stderr
    assert [request.name for request in service.requests["DetachPlugin"]] == ["stuck"]


# Waiting


def test_joining_waits_for_the_newest_report_of_before(service, script, run):
    hold = Hold()
    script([snapshot(), hold, events(output(8, "other"), output(9, "show-loss")), Hold()])
    handle, recorder = recording(run)
    service.answers["GetState"] = [listed("show-loss", 90), listed("show-loss", 90), listed("show-loss", 90)]
    with pytest.raises(pilothouse.DeadlineExceeded):
        handle.join(0.1)
    joined = threading.Thread(target=handle.join)
    joined.start()
    hold.release()
    joined.join(PATIENCE)
    assert not joined.is_alive()
    assert recorder.sequences == [9]
    handle.join(PATIENCE)


def test_joining_after_the_end_of_the_run_waits_for_the_functions_end(service, script, run):
    hold = Hold()
    script([snapshot(), events(output(8, "show-loss")), hold])
    handle, recorder = recording(run)
    service.answers["GetState"] = [listed("show-loss", 80, "STOPPED"), listed("show-loss", 80, "STOPPED")]
    with pytest.raises(pilothouse.DeadlineExceeded):
        handle.join(0.1)
    assert not handle.ended
    hold.release()
    handle.join(PATIENCE)
    assert handle.ended
    assert recorder.sequences == [8]


def test_joining_a_function_whose_plugin_never_ran_waits_for_nothing(service, script, run):
    script([snapshot(), Hold()])
    handle, _ = recording(run)
    service.answers["GetState"] = [listed("show-loss", None)]
    handle.join(PATIENCE)
    assert handle.calls == 0


def test_joining_does_not_wait_for_a_report_that_was_left_out(service, script, run):
    beat = pb.WatchTrainingResponse(heartbeat=pb.Heartbeat(batch=90))
    early = pb.WatchTrainingResponse(heartbeat=pb.Heartbeat(batch=80))
    gap = pb.WatchTrainingResponse()
    gap.gaps.add(first=9, last=9)
    quiet, asked = Hold(), Hold(listed("show-loss", 90))
    script([snapshot(), events(output(8, "show-loss")), gap, quiet, early, early, beat, beat, Hold()])
    handle, _ = recording(run)
    service.answers["GetState"] = [asked]
    joined = threading.Thread(target=handle.join)
    joined.start()
    assert asked.reached.wait(PATIENCE)
    quiet.release()
    asked.release()
    joined.join(PATIENCE)
    assert not joined.is_alive()
    assert handle.calls == 1


def test_waiting_ends_when_nothing_is_under_way(script, run):
    script([snapshot(), events(output(8, "look")), Hold()])
    handle, _, entered, go = held(run)
    assert entered.wait(PATIENCE)
    with pytest.raises(pilothouse.DeadlineExceeded, match="still being called"):
        handle.wait(0.1)
    go.set()
    handle.wait(PATIENCE)
    assert handle.calls == 1


def test_a_function_cannot_wait_for_itself(service, script, run):
    decorated = Hold()
    script([snapshot(), decorated, events(output(8, "look"))])
    raised = []

    @run.every("each(10)")
    def look(event, run):
        for wait in (look.wait, look.join):
            with pytest.raises(RuntimeError, match="cannot wait for itself") as caught:
                wait()
            raised.append(caught.value)

    decorated.release()
    assert over(look)
    assert len(raised) == 2
