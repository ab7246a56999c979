"""What print() and a prompt show: one short line."""

from __future__ import annotations

import pytest
from fake_service import run_message

import pilothouse
from pilothouse.v1 import plugin_pb2, run_pb2
from pilothouse.v1 import training_control_pb2 as pb


def message(**fields) -> run_pb2.Run:
    knobs = [run_pb2.Knob(name=f"knob{number}", description="turns something") for number in range(20)]
    return run_message("TRAINING", batch=5, target=50, loss=1 / 3, eta=0.1, knobs=knobs, last_sequence=3, **fields)


def test_a_state_is_shown_on_one_line(service, run):
    paused = run_message("IDLE", idle_reason=run_pb2.IDLE_REASON_PAUSED, batch=5, target=5, loss=-1, eta=0.1)
    service.answers["GetState"] = [pb.GetStateResponse(run=message()), pb.GetStateResponse(run=paused)]
    assert str(run.state()) == "State(digits: TRAINING, batch 5, target 50, loss 0.333333, eta 0.1)"
    assert repr(run.state()) == "State(digits: IDLE (PAUSED), batch 5, target 5, loss -1, eta 0.1)"


def test_a_snapshot_is_shown_as_its_state(service, run):
    service.answers["WatchTraining"] = [[pb.WatchTrainingResponse(snapshot=message())]]
    (snapshot,) = run.watch()
    shown = "State(digits: TRAINING, batch 5, target 50, loss 0.333333, eta 0.1)"
    assert repr(snapshot) == f"Snapshot({shown})"
    assert repr(pilothouse.Snapshot(snapshot.state, resumed=True)) == f"Snapshot({shown}, resumed)"


def test_plugins_and_kinds_in_a_list_are_shown_in_short(service, house, run):
    spec = plugin_pb2.PluginSpec(
        name="look", kind="notify", schedule="each(100)", timeline=plugin_pb2.TIMELINE_BATCHES, settings={"a": "b"}
    )
    setting = plugin_pb2.PluginSetting(name="patience", description="validations without a gain", usual="10")
    kind = plugin_pb2.PluginKind(name="early-stopping", description="Ends the run.", settings=[setting])
    service.answers["ListPlugins"] = [pb.ListPluginsResponse(plugins=[plugin_pb2.PluginStatus(spec=spec, next_due=9)])]
    service.answers["ListPluginKinds"] = [pb.ListPluginKindsResponse(kinds=[kind])]
    assert str(run.plugins()) == "[PluginState(look: each(100) on batches; never ran yet; next at 9)]"
    assert str(house.plugin_kinds()) == "[PluginKind(early-stopping: Ends the run.)]"


def test_a_watch_is_shown_with_its_run_and_where_it_is(service, run):
    service.answers["WatchTraining"] = 2 * [[pb.WatchTrainingResponse(snapshot=message())]]
    watch = run.watch()
    assert repr(watch) == "<pilothouse.Watch of digits, after_sequence=None>"
    next(watch)
    assert repr(watch) == "<pilothouse.Watch of digits, after_sequence=3>"
    with pytest.raises(StopIteration):
        next(watch)
    assert repr(watch) == "<pilothouse.Watch of digits, after_sequence=3, ended>"
    with run.watch(after_sequence=2) as other:
        assert repr(other) == "<pilothouse.Watch of digits, after_sequence=2>"
    assert repr(other) == "<pilothouse.Watch of digits, after_sequence=2, closed>"
