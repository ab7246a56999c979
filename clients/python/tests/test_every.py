from __future__ import annotations

import logging
import sys

import grpc
import pytest
from every_testing import (
    ATTACHED,
    ATTACHED_BATCH,
    PATIENCE,
    attached_plugin,
    events,
    held,
    over,
    recording,
    snapshot,
)
from fake_service import Hold, Refusal, output, unavailable

import pilothouse
from pilothouse.v1 import control_pb2, event_pb2, plugin_pb2

# Attaching


def test_decorating_attaches_a_plugin_that_notifies(service, run):
    handle, _ = recording(run, timeline="batches", values=("loss", "eta"), point="before_batch", priority=5)
    spec = service.requests["AttachPlugin"][0].plugin
    assert (spec.kind, spec.name, spec.schedule, spec.settings["values"]) == (
        "notify",
        "show-loss",
        "each(10)",
        "loss,eta",
    )
    assert (spec.timeline, spec.point, spec.priority) == (
        plugin_pb2.TIMELINE_BATCHES,
        plugin_pb2.PLUGIN_POINT_BEFORE_BATCH,
        5,
    )
    assert (handle.name, handle.receipt.plugin, handle.__name__) == ("show-loss", "show-loss", "show_loss")
    assert over(handle)


def test_its_reports_are_watched_from_the_attachment_on(service, run):
    handle, _ = recording(run)
    assert over(handle)
    (request,) = service.requests["WatchTraining"]
    assert request.after_sequence == ATTACHED
    assert list(request.kinds) == [event_pb2.EVENT_KIND_PLUGIN, event_pb2.EVENT_KIND_CONTROL]
    assert "values" not in service.requests["AttachPlugin"][0].plugin.settings


def test_a_name_that_is_taken_gets_a_number(service, run):
    taken = Refusal(grpc.StatusCode.ALREADY_EXISTS, "PLUGIN_ALREADY_EXISTS")
    service.answers["AttachPlugin"] = [taken, taken]
    assert recording(run)[0].name == "show-loss-3"


def test_a_name_that_was_asked_for_is_taken_or_refused(service, run):
    service.answers["AttachPlugin"] = [Refusal(grpc.StatusCode.ALREADY_EXISTS, "PLUGIN_ALREADY_EXISTS")]
    with pytest.raises(pilothouse.PluginAlreadyExists):
        recording(run, name="look")
    assert len(service.requests["AttachPlugin"]) == 1
    assert not service.requests["WatchTraining"]
    assert recording(run, name="look")[0].name == "look"


@pytest.mark.parametrize(
    ("name", "plugin"),
    [("_Look__twice", "look-twice"), ("<lambda>", "lambda"), ("å", "function"), ("x" * 90, "x" * 63)],
)
def test_a_plugins_name_is_made_from_any_functions_name(run, name, plugin):
    def function(event, run):
        pass

    function.__name__ = name
    assert run.every("each(10)")(function).name == plugin


def test_what_cannot_be_decorated_is_refused_here(service, run):
    with pytest.raises(TypeError, match="a schedule is text"):

        @run.every
        def look(event, run):
            pass

    with pytest.raises(TypeError, match="a function that takes an event and a run"):
        run.every("each(10)")("look")
    with pytest.raises(pilothouse.PluginInvalid):
        run.every("each(10)", max_failures=0)
    with pytest.raises(pilothouse.PluginPointUnknown):
        recording(run, point="lunch")
    assert not service.requests["AttachPlugin"]


def test_the_decorated_function_can_still_be_called(run):
    @run.every("each(10)")
    def add(event, run):
        """Adds."""
        return event + run

    assert add(1, run=2) == 3
    assert add.__doc__ == "Adds."


# Being called


def test_the_function_is_called_with_each_report_of_its_plugin_and_ends_with_the_run(script, run):
    first = Hold()
    script(
        [
            snapshot(),
            events(output(8, "show-loss", loss=0.5), output(9, "other")),
            first,
            events(output(12, "show-loss")),
        ]
    )
    handle, recorder = recording(run)
    assert first.reached.wait(PATIENCE)
    handle._await(lambda: handle.calls == 1 and handle._idle(), PATIENCE, "was not called")
    assert repr(handle) == "<pilothouse.PluginFunction show-loss of digits, each(10): runs; 1 call, 0 missed>"
    first.release()
    assert over(handle)
    assert recorder.sequences == [8, 12]
    assert recorder.events[0].values == {"loss": 0.5}
    assert (handle.calls, handle.missed, handle.error) == (2, 0, None)
    assert "ended with the run" in repr(handle)


def test_of_the_reports_that_come_during_a_call_only_the_newest_is_delivered(script, run):
    more, rest = Hold(), Hold()
    script(
        [snapshot(), events(output(8, "look")), more, events(*(output(place, "look") for place in range(9, 14))), rest]
    )
    handle, recorder, entered, go = held(run)
    assert entered.wait(PATIENCE)
    more.release()
    handle._await(lambda: handle.missed == 4, PATIENCE, "is not told")
    go.set()
    rest.release()
    assert over(handle)
    assert recorder.sequences == [8, 13]
    assert (handle.calls, handle.missed) == (2, 4)


def test_a_function_that_takes_long_does_not_hold_up_its_watch(script, run):
    rest = Hold()
    script([snapshot(), events(*(output(place, "look") for place in range(8, 300))), rest])
    _, _, entered, go = held(run)
    assert entered.wait(PATIENCE)
    assert rest.reached.wait(PATIENCE)
    go.set()


def test_the_function_steers_in_its_own_name(service, script, run):
    script([snapshot(), events(output(8, "slow-down"))])

    @run.every("each(10)")
    def slow_down(event, run):
        run.set_eta(0.01, note="slower")

    assert over(slow_down)
    assert slow_down.error is None
    own, (options,) = service.requests["AttachPlugin"][0].options, [r.options for r in service.requests["SetEta"]]
    assert options.origin == f"{own.origin}/slow-down"
    assert options.note == "slower"


def test_a_broken_watch_goes_on_after_the_last_report(service, script, run):
    once = Hold()
    script(
        [snapshot(), events(output(8, "show-loss")), once, unavailable()],
        [unavailable("SERVICE_STOPPING")],
        [snapshot(), events(output(8, "show-loss"), output(9, "show-loss"))],
    )
    handle, recorder = recording(run)
    handle._await(lambda: handle.calls == 1 and handle._idle(), PATIENCE, "was not called")
    once.release()
    assert over(handle)
    assert recorder.sequences == [8, 9]
    assert [request.after_sequence for request in service.requests["WatchTraining"]] == [7, 8, 8]


def test_a_refused_watch_detaches_it_and_is_told(service, script, run, caplog):
    script([Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHERS")])
    handle, _ = recording(run)
    handle._await(handle._over, PATIENCE, "does not end")
    assert [request.name for request in service.requests["DetachPlugin"]] == ["show-loss"]
    assert isinstance(handle.error, pilothouse.TooManyWatchers)
    assert "sees no more reports" in caplog.text
    assert "TooManyWatchers" in repr(handle)


def test_two_functions_of_one_run_are_independent(service, script, run):
    script(
        [snapshot(), events(output(8, "look"), output(9, "show-loss"))],
        [snapshot(), events(output(8, "look"), output(9, "show-loss"))],
    )
    handle, recorder = recording(run)
    other, seen, _, go = held(run)
    go.set()
    assert over(handle)
    assert over(other)
    assert (recorder.sequences, seen.sequences) == ([9], [8])


def test_an_origin_that_is_long_is_cut_before_the_functions_name(service, script, run):
    script([snapshot(), events(output(8, "x" * 63))])
    run._connection.origin = "é" * 64
    run = pilothouse.Run(run._connection, "digits")

    @run.every("each(10)", name="x" * 63)
    def look(event, run):
        run.pause()

    assert over(look)
    origin = service.requests["BatchTo"][0].options.origin
    assert origin == "é" * 32 + "/" + "x" * 63
    assert len(origin.encode()) <= 128
    assert control_pb2.ControlOptions(origin=origin).origin == origin


# Failing


def raising(run, fails, **arguments) -> pilothouse.PluginFunction:
    @run.every("each(10)", name="shaky", **arguments)
    def shaky(event, run):
        if fails(event):
            raise KeyError(f"batch {event.batch}")

    return shaky


def one_by_one(*sequences: int, plugin: str) -> tuple[list, list[Hold]]:
    """A watch that waits before each report."""
    holds = [Hold() for _ in sequences]
    steps = [
        step for hold, place in zip(holds, sequences, strict=True) for step in (hold, events(output(place, plugin)))
    ]
    return [snapshot(), *steps, Hold()], holds


def deliver(handle: pilothouse.PluginFunction, holds: list[Hold]) -> None:
    for calls, hold in enumerate(holds, start=1):
        hold.release()
        handle._await(lambda calls=calls: handle.calls == calls and not handle._calling, PATIENCE, "was not called")


def test_a_function_that_fails_in_a_row_is_logged_once_and_detached(service, script, run, caplog):
    watch, holds = one_by_one(8, 9, 10, plugin="shaky")
    script(watch)
    handle = raising(run, lambda event: True)
    deliver(handle, holds)
    assert over(handle)
    assert isinstance(handle.error, KeyError)
    assert "batch 100" in str(handle.error)
    (detach,) = service.requests["DetachPlugin"]
    assert detach.name == "shaky"
    assert "KeyError" in detach.options.note
    tracebacks = [record for record in caplog.records if record.exc_info]
    assert [record.levelno for record in tracebacks] == [logging.ERROR]
    assert "batch 80" in str(tracebacks[0].exc_info[1])
    assert "ended after 3 failures in a row; KeyError('batch 100'); 3 calls" in repr(handle)


def test_a_function_that_fails_in_a_row_is_detached_once_the_service_is_back(service, script, run):
    watch, holds = one_by_one(8, plugin="shaky")
    script(watch)
    service.answers["DetachPlugin"] = [unavailable("TRAINER_UNAVAILABLE"), unavailable("TRAINER_UNAVAILABLE")]
    handle = raising(run, lambda event: True, max_failures=1)
    deliver(handle, holds)
    assert over(handle)
    assert "attached" not in repr(handle)
    tries = service.requests["DetachPlugin"]
    assert len(tries) == 3
    assert tries[0].options.request_id
    assert len({detach.options.request_id for detach in tries}) == 1


def test_a_function_that_could_not_be_detached_says_so_and_can_be_again(service, script, run, caplog):
    watch, holds = one_by_one(8, plugin="shaky")
    script(watch)
    service.answers["DetachPlugin"] = [Refusal(grpc.StatusCode.INTERNAL, "JOURNAL_FAILED")]
    handle = raising(run, lambda event: True, max_failures=1)
    deliver(handle, holds)
    handle._await(handle._over, PATIENCE, "does not end")
    assert "its plugin may still be attached" in repr(handle)
    assert "shaky of digits may still be attached" in caplog.text
    service.answers["ListPlugins"] = [attached_plugin("shaky", ATTACHED_BATCH)]
    handle.detach()
    assert "attached" not in repr(handle)
    assert len(service.requests["DetachPlugin"]) == 2
    handle.detach()
    assert len(service.requests["DetachPlugin"]) == 2


@pytest.mark.parametrize("batch", [ATTACHED_BATCH + 1, None], ids=["a newcomer", "nothing"])
def test_a_function_that_could_not_be_detached_leaves_what_has_its_name_later_alone(service, house, script, run, batch):
    watch, holds = one_by_one(8, plugin="shaky")
    script(watch)
    service.answers["DetachPlugin"] = [Refusal(grpc.StatusCode.INTERNAL, "JOURNAL_FAILED")]
    handle = raising(run, lambda event: True, max_failures=1)
    deliver(handle, holds)
    handle._await(handle._over, PATIENCE, "does not end")
    service.answers["ListPlugins"] = [] if batch is None else [attached_plugin("shaky", batch)]
    handle.detach()
    house.close()
    assert len(service.requests["DetachPlugin"]) == 1
    assert "attached" not in repr(handle)


def test_a_call_that_succeeds_begins_the_count_anew(service, script, run):
    watch, holds = one_by_one(*range(8, 14), plugin="shaky")
    script(watch)
    handle = raising(run, lambda event: event.sequence != 10)
    deliver(handle, holds[:5])
    assert not handle.ended
    assert not service.requests["DetachPlugin"]
    holds[5].release()
    assert over(handle)
    assert handle.calls == 6


def test_how_many_failures_are_allowed_is_chosen(service, script, run):
    watch, holds = one_by_one(8, plugin="shaky")
    script(watch)
    handle = raising(run, lambda event: True, max_failures=1)
    deliver(handle, holds)
    assert over(handle)
    assert len(service.requests["DetachPlugin"]) == 1


def test_leaving_python_in_a_function_is_a_failure_of_it(script, run):
    script([snapshot(), events(output(8, "leave"))])

    @run.every("each(10)", max_failures=1)
    def leave(event, run):
        sys.exit(1)

    assert over(leave)
    assert isinstance(leave.error, SystemExit)
