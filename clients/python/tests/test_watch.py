from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

import grpc
import numpy as np
import pytest
from fake_service import Hold, Refusal, loss, run_message, status, unavailable

import pilothouse
from pilothouse.v1 import control_pb2, event_pb2, run_pb2, tensor_pb2
from pilothouse.v1 import training_control_pb2 as pb


def snapshot(last_sequence: int = 0, **fields) -> pb.WatchTrainingResponse:
    return pb.WatchTrainingResponse(snapshot=run_message(last_sequence=last_sequence, **fields))


def events(*content: event_pb2.Event) -> pb.WatchTrainingResponse:
    return pb.WatchTrainingResponse(events=content)


def sequences(watched) -> list[int]:
    return [event.sequence for event in watched if hasattr(event, "sequence")]


def test_a_watch_begins_with_a_snapshot_and_ends_with_the_run(service, run):
    service.answers["WatchTraining"] = [[snapshot(loss=-1), events(loss(1), status(2, "STOPPED"))]]
    first, second, third = run.watch()
    assert first.state.loss == -1
    assert not first.resumed
    assert (second.batch, second.value) == (10, 0.5)
    assert third.status is pilothouse.RunStatus.STOPPED


def test_nothing_is_asked_for_that_was_not_said(service, run):
    list(run.watch())
    (request,) = service.requests["WatchTraining"]
    assert request == pb.WatchTrainingRequest(run_id="digits")


def test_what_is_wanted_is_asked_for(service, run):
    list(run.watch(after_sequence=0, kinds=["loss", pilothouse.EventKind.STATE], min_interval=0, max_interval=2.5))
    (request,) = service.requests["WatchTraining"]
    assert request.HasField("after_sequence")
    assert list(request.kinds) == [event_pb2.EVENT_KIND_LOSS, event_pb2.EVENT_KIND_STATE]
    assert request.HasField("min_interval")
    assert request.max_interval.ToMilliseconds() == 2500


def test_a_kind_that_does_not_exist_is_refused_here(run):
    with pytest.raises(pilothouse.SpecInvalid, match="loss, status, control, state, plugin, checkpoint"):
        run.watch(kinds=["losses"])


def test_every_kind_of_event_arrives_as_its_own_class(service, run):
    vector = np.array([1, 2, 3], dtype=np.float32)
    tensor = tensor_pb2.Tensor(element_type=tensor_pb2.ELEMENT_TYPE_FLOAT32, shape=[3], data=vector.tobytes())
    control = event_pb2.ControlReport(
        change=control_pb2.Change(knob=control_pb2.KnobChange(name="eta", value=0.01)),
        value=0.01,
        previous_value=0.1,
        origin="ana@lab",
        note="too noisy",
        at_batch=20,
    )
    pause = event_pb2.ControlReport(value=30)
    pause.change.target.pause.SetInParent()
    stop = event_pb2.ControlReport(value=30)
    stop.change.stop.SetInParent()
    content = [
        loss(1, at_target=True),
        event_pb2.Event(sequence=2, batch=20, control=control),
        event_pb2.Event(sequence=3, batch=30, control=pause),
        event_pb2.Event(
            sequence=4, batch=30, state=event_pb2.StateReport(state=tensor, eta=0.01, loss=0.5, asked=True)
        ),
        event_pb2.Event(sequence=5, batch=30, control=stop),
    ]
    content[0].time.FromSeconds(1_700_000_000)
    beat = pb.WatchTrainingResponse(heartbeat=pb.Heartbeat(status=run_pb2.RUN_STATUS_IDLE, batch=30, loss=0.5))
    service.answers["WatchTraining"] = [[snapshot(), events(*content), beat]]
    _, one, two, three, four, five, six = run.watch()
    assert one == pilothouse.LossEvent(1, 10, datetime.fromtimestamp(1_700_000_000, UTC), 0.5, True)
    assert (two.kind, two.name, two.value, two.previous_value) == (pilothouse.ControlKind.KNOB, "eta", 0.01, 0.1)
    assert (two.origin, two.note, two.at_batch) == ("ana@lab", "too noisy", 20)
    assert (three.kind, three.name, three.at_batch) == (pilothouse.ControlKind.PAUSE, "target", None)
    np.testing.assert_array_equal(four.vector, vector)
    assert (four.vector.dtype, four.asked) == (np.float32, True)
    assert (five.kind, five.name) == (pilothouse.ControlKind.STOP, "stop")
    assert isinstance(six, pilothouse.Heartbeat)
    assert six.training_thread_seen_time is None


def test_an_event_of_a_kind_of_a_newer_service_is_passed_over(service, run):
    service.answers["WatchTraining"] = [
        [snapshot(), events(event_pb2.Event(sequence=1)), unavailable()],
        [events(loss(2))],
    ]
    assert sequences(run.watch()) == [2]
    assert service.requests["WatchTraining"][1].after_sequence == 1


def test_a_gap_comes_before_the_events_that_follow_it(service, run):
    message = events(loss(3), status(7, "IDLE"), loss(12))
    message.gaps.add(first=4, last=11)
    service.answers["WatchTraining"] = [[snapshot(), message]]
    watched = list(run.watch())[1:]
    assert [getattr(event, "sequence", (4, 11)) for event in watched] == [3, (4, 11), 7, 12]
    assert watched[1] == pilothouse.Gap(4, 11)


def test_a_broken_watch_goes_on_after_the_last_event_with_nothing_lost_and_nothing_twice(service, run):
    service.answers["WatchTraining"] = [
        [snapshot(4), events(loss(5), loss(6)), unavailable()],
        [unavailable("SERVICE_STOPPING")],
        [snapshot(8), events(loss(6), loss(7)), Refusal(grpc.StatusCode.INTERNAL, text="RST_STREAM")],
        [snapshot(9), events(loss(8), loss(9))],
    ]
    watch = run.watch()
    watched = list(watch)
    assert sequences(watched) == [5, 6, 7, 8, 9]
    asked = [request.after_sequence for request in service.requests["WatchTraining"]]
    assert asked == [0, 6, 6, 7]
    assert not service.requests["WatchTraining"][0].HasField("after_sequence")
    assert [event.resumed for event in watched if isinstance(event, pilothouse.Snapshot)] == [False, True, True]
    assert watch.sequence == 9


def test_a_watch_that_broke_before_its_snapshot_begins_from_now_again(service, run):
    service.answers["WatchTraining"] = [[unavailable()], [snapshot(4), unavailable()], [events(loss(5))]]
    watched = list(run.watch())
    assert [isinstance(event, pilothouse.Snapshot) for event in watched] == [True, False]
    assert not watched[0].resumed
    first, second, third = service.requests["WatchTraining"]
    assert (first.HasField("after_sequence"), second.HasField("after_sequence")) == (False, False)
    assert third.after_sequence == 4


def test_a_watch_survives_the_service_being_started_anew(service, run):
    hold = Hold()
    service.answers["WatchTraining"] = [[snapshot(), events(loss(1)), hold], [snapshot(2), events(loss(2))]]
    watch = run.watch()
    assert sequences([next(watch), next(watch)]) == [1]
    service.stop()
    service.start()
    assert sequences(watch) == [2]


def test_a_service_that_does_not_come_back_is_given_up(service, run):
    service.answers["WatchTraining"] = [[snapshot(), events(loss(1)), Hold()]]
    watch = run.watch(give_up_after=0.5)
    assert sequences([next(watch), next(watch)]) == [1]
    service.stop()
    with pytest.raises(pilothouse.Unreachable):
        next(watch)
    assert list(watch) == []
    service.start()


def test_a_refused_watch_raises_once_and_is_over(service, run):
    service.answers["WatchTraining"] = [[Refusal(grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")]]
    watch = run.watch()
    with pytest.raises(pilothouse.RunNotFound):
        next(watch)
    assert list(watch) == []
    assert len(service.requests["WatchTraining"]) == 1


def test_closing_from_another_thread_ends_the_iteration(service, run):
    hold = Hold()
    service.answers["WatchTraining"] = [[snapshot(), hold]]
    watch = run.watch()
    next(watch)
    closer = threading.Thread(target=lambda: (hold.reached.wait(60), watch.close()))
    closer.start()
    assert list(watch) == []
    closer.join()
    watch.close()


def test_closing_ends_a_wait_for_a_service_that_is_away(service, run):
    service.answers["WatchTraining"] = [[snapshot(), Hold()]]
    watch = run.watch(give_up_after=None)
    next(watch)
    service.stop()
    timer = threading.Timer(0.3, watch.close)
    timer.start()
    assert list(watch) == []
    timer.join()
    service.start()


def test_closing_the_house_ends_its_watches(service, house, run):
    hold = Hold()
    service.answers["WatchTraining"] = [[snapshot(), hold]]
    watch = run.watch()
    next(watch)
    closer = threading.Thread(target=lambda: (hold.reached.wait(60), house.close()))
    closer.start()
    assert list(watch) == []
    closer.join()


def test_leaving_a_watch_cancels_it_at_the_service(service, run):
    hold = Hold()
    service.answers["WatchTraining"] = [[snapshot(), hold, Refusal(grpc.StatusCode.INTERNAL)]]
    with run.watch() as watch:
        next(watch)
        assert hold.reached.wait(60)
    assert hold._go.wait(60)  # let go by the service's own notice that the client is gone


def test_two_watches_of_one_run_are_independent(service, run):
    service.answers["WatchTraining"] = [[snapshot(), events(loss(1), loss(2))]] * 2
    one, two = run.watch(), run.watch()
    assert sequences([next(one), next(one)]) == [1]
    assert sequences(two) == [1, 2]
    assert sequences(one) == [2]


def test_a_watch_is_also_an_async_iterator(service, run):
    service.answers["WatchTraining"] = [
        [snapshot(), events(loss(1), loss(2)), unavailable()],
        [snapshot(3), events(loss(3))],
    ]

    async def watch() -> list[pilothouse.Event]:
        async with run.watch() as watch:
            return [event async for event in watch]

    assert sequences(asyncio.run(watch())) == [1, 2, 3]


def test_an_async_wait_that_is_cancelled_loses_nothing(service, run):
    hold = Hold()
    service.answers["WatchTraining"] = [[snapshot(), hold, events(loss(1))]]

    async def watch() -> list[pilothouse.Event]:
        async with run.watch() as watch:
            await anext(watch)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(watch), 0.1)
            hold.release()
            return [event async for event in watch]

    assert sequences(asyncio.run(watch())) == [1]


def test_an_async_watch_raises_what_the_service_refuses(service, run):
    service.answers["WatchTraining"] = [[Refusal(grpc.StatusCode.OUT_OF_RANGE, "SEQUENCE_OUT_OF_RANGE")]]

    async def watch() -> None:
        async for _ in run.watch(after_sequence=99):
            pass

    with pytest.raises(pilothouse.SequenceOutOfRange):
        asyncio.run(watch())


def test_closing_ends_an_async_wait(service, run):
    hold = Hold()
    service.answers["WatchTraining"] = [[snapshot(), hold]]

    async def watch() -> int:
        watch = run.watch()
        await anext(watch)
        asyncio.get_running_loop().call_later(0.1, watch.close)
        return len([event async for event in watch])

    assert asyncio.run(watch()) == 0
