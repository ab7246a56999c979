"""What the tests of Run.every() share."""

from __future__ import annotations

import threading

from fake_service import run_message

import pilothouse
from pilothouse.v1 import event_pb2, plugin_pb2
from pilothouse.v1 import training_control_pb2 as pb

#: Seconds that anything here may take.
PATIENCE = 60

#: What the fake service's receipt says about the attachment; reports come after it.
ATTACHED = 7
ATTACHED_BATCH = 70


def snapshot() -> pb.WatchTrainingResponse:
    return pb.WatchTrainingResponse(snapshot=run_message(last_sequence=ATTACHED))


def events(*content: event_pb2.Event) -> pb.WatchTrainingResponse:
    return pb.WatchTrainingResponse(events=content)


def detachment(sequence: int, plugin: str) -> event_pb2.Event:
    report = event_pb2.ControlReport(plugin=plugin)
    report.change.detach_plugin.name = plugin
    return event_pb2.Event(sequence=sequence, batch=sequence * 10, control=report)


def listed(name: str, last_batch: int | None, status: str = "IDLE") -> pb.GetStateResponse:
    """The state of a run with one plugin, which ran last at `last_batch`."""
    spec = plugin_pb2.PluginSpec(name=name, kind="notify")
    return pb.GetStateResponse(
        run=run_message(status, plugins=[plugin_pb2.PluginStatus(spec=spec, last_batch=last_batch)])
    )


def attached_plugin(name: str, batch: int) -> pb.ListPluginsResponse:
    """The plugins of a run with one of kind notify."""
    spec = plugin_pb2.PluginSpec(name=name, kind="notify")
    return pb.ListPluginsResponse(plugins=[plugin_pb2.PluginStatus(spec=spec, attached_batch=batch)])


class Recorder:
    """Functions that write down what they are called with."""

    def __init__(self) -> None:
        self.events: list[pilothouse.PluginEvent] = []

    @property
    def sequences(self) -> list[int]:
        return [event.sequence for event in self.events]


def recording(run, **arguments) -> tuple[pilothouse.PluginFunction, Recorder]:
    recorder = Recorder()

    @run.every("each(10)", **arguments)
    def show_loss(event, run):
        recorder.events.append(event)

    return show_loss, recorder


def held(run) -> tuple[pilothouse.PluginFunction, Recorder, threading.Event, threading.Event]:
    """A function that waits in its first call; says when it is there, and goes on when told."""
    recorder, entered, go = Recorder(), threading.Event(), threading.Event()

    @run.every("each(10)")
    def look(event, run):
        recorder.events.append(event)
        entered.set()
        assert go.wait(PATIENCE)

    return look, recorder, entered, go


def over(handle: pilothouse.PluginFunction) -> bool:
    handle.join(PATIENCE)
    return handle.ended
