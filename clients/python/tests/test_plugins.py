from __future__ import annotations

import dataclasses
import math
from datetime import timedelta

import grpc
import numpy as np
import pytest
from fake_service import Refusal, failure, output, run_message

import pilothouse
from pilothouse.v1 import control_pb2, event_pb2, plugin_pb2, run_pb2
from pilothouse.v1 import training_control_pb2 as pb

POINTS = "start, before_batch, after_batch, after_validation, before_stop, end"


def start(house: pilothouse.House, **arguments) -> pilothouse.Run:
    return house.start(net="2x1", data="xor.csv", loss="mse", **arguments)


def attached(service) -> plugin_pb2.PluginSpec:
    return service.requests["AttachPlugin"][-1].plugin


# Starting with them


def test_plugins_are_started_with_in_their_order_by_kind_or_in_full(service, house):
    start(house, plugins=["validate", pilothouse.Plugin("early-stopping", "each(5)", settings={"patience": 5})])
    first, second = service.requests["StartRun"][0].spec.plugins
    assert first == plugin_pb2.PluginSpec(kind="validate")
    assert second == plugin_pb2.PluginSpec(kind="early-stopping", schedule="each(5)", settings={"patience": "5"})


def test_one_plugin_alone_is_a_list_of_one(service, house):
    start(house, plugins="validate")
    assert [plugin.kind for plugin in service.requests["StartRun"][0].spec.plugins] == ["validate"]


def test_a_run_started_without_plugins_and_validation_names_none(service, house):
    start(house)
    spec = service.requests["StartRun"][0].spec
    assert (list(spec.plugins), spec.data.WhichOneof("validation")) == ([], None)


def test_kinds_of_plugins_are_listed_with_their_settings(service, house):
    patience = plugin_pb2.PluginSetting(name="patience", description="validations without a gain", usual="10")
    view = plugin_pb2.PluginSetting(name="view", description="what to look at", required=True)
    kind = plugin_pb2.PluginKind(
        name="early-stopping",
        description="Ends the run.",
        settings=[patience, view],
        usual_schedule="always",
        usual_point=plugin_pb2.PLUGIN_POINT_AFTER_VALIDATION,
        usual_priority=100,
    )
    service.answers["ListPluginKinds"] = [pb.ListPluginKindsResponse(kinds=[kind])]
    (told,) = house.plugin_kinds()
    assert (told.name, told.usual_point, told.usual_priority) == ("early-stopping", "after_validation", 100)
    assert told.settings[0] == pilothouse.PluginSettingInfo("patience", "validations without a gain", "10", False)
    assert str(told).splitlines() == [
        "early-stopping: Ends the run.",
        "    patience (usually 10): validations without a gain",
        "    view (required): what to look at",
    ]


# Attaching, detaching, rescheduling


def test_attaching_returns_a_receipt_with_the_name(service, run):
    receipt = run.attach("early-stopping", patience=5, at_batch=70, note="enough", request_id="once")
    assert isinstance(receipt, pilothouse.PluginReceipt)
    assert (receipt.plugin, receipt.value, receipt.applied_batch) == ("early-stopping", 3, 70)
    assert attached(service) == plugin_pb2.PluginSpec(kind="early-stopping", settings={"patience": "5"})
    options = service.requests["AttachPlugin"][0].options
    assert (options.at_batch, options.note, options.request_id) == (70, "enough", "once")


def test_everything_about_a_plugin_travels(service, run):
    everything = {
        "name": "look",
        "timeline": "wall-time",
        "point": pilothouse.PluginPoint.BEFORE_BATCH,
        "priority": -3,
        "required": False,
        "allowance": timedelta(milliseconds=250),
        "max_failures": 7,
        "settings": {"a": 1, "b": 0.1, "c": True, "d": "x"},
    }
    run.attach("notify", "each(30)", **everything)
    spec = attached(service)
    assert (spec.kind, spec.name, spec.schedule) == ("notify", "look", "each(30)")
    assert (spec.timeline, spec.point) == (plugin_pb2.TIMELINE_WALL_TIME, plugin_pb2.PLUGIN_POINT_BEFORE_BATCH)
    assert (spec.priority, spec.HasField("required"), spec.required, spec.max_failures) == (-3, True, False, 7)
    assert spec.allowance.ToMilliseconds() == 250
    assert dict(spec.settings) == {"a": "1", "b": "0.1", "c": "true", "d": "x"}
    run.attach(pilothouse.Plugin("notify", "each(30)", **everything))
    assert attached(service) == spec


def test_what_is_not_said_about_a_plugin_is_left_unset(service, run):
    run.attach("validate")
    assert attached(service) == plugin_pb2.PluginSpec(kind="validate")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1 / 3, "0.3333333333333333"),
        (5.0, "5"),
        (1e300, "1e+300"),
        (np.float64(0.25), "0.25"),
        (np.int32(4), "4"),
        (np.bool_(False), "false"),
        (timedelta(minutes=1.5), "90 s"),
        (("loss", "eta"), "loss,eta"),
        (10**20, "100000000000000000000"),
    ],
)
def test_settings_travel_without_loss(service, run, value, text):
    run.attach("notify", value=value)
    assert attached(service).settings["value"] == text


def test_settings_that_are_no_values_are_refused_here(service, run):
    with pytest.raises(TypeError, match="setting values is text, a number"):
        run.attach("notify", values={"loss": 1})
    with pytest.raises(TypeError, match=r"given twice.*patience"):
        run.attach("early-stopping", settings={"patience": 1}, patience=2)
    assert not service.requests["AttachPlugin"]


@pytest.mark.parametrize("point", ["before_lunch", "", "AFTER BATCH"])
def test_an_unknown_point_is_refused_with_the_names(service, run, point):
    with pytest.raises(pilothouse.PluginPointUnknown, match=POINTS) as caught:
        run.attach("notify", point=point)
    assert caught.value.metadata == {"point": point, "known": POINTS}
    with pytest.raises(pilothouse.PluginPointUnknown):
        pilothouse.Plugin("notify", point=point)
    assert not service.requests["AttachPlugin"]


def test_an_unknown_timeline_is_refused_with_the_names(run):
    with pytest.raises(pilothouse.SpecInvalid, match="batches, examples, epochs, wall_time, training_time"):
        run.attach("notify", "each(10)", timeline="moons")
    with pytest.raises(TypeError):
        pilothouse.Plugin("notify", timeline=3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"priority": 1001},
        {"priority": -(2**40)},
        {"max_failures": 0},
        {"max_failures": 1001},
        {"allowance": 0},
        {"allowance": -1},
        {"allowance": math.nan},
        {"allowance": timedelta(hours=2)},
    ],
)
def test_numbers_outside_their_range_are_refused_here(service, run, wrong):
    with pytest.raises(pilothouse.PluginInvalid) as caught:
        run.attach("notify", **wrong)
    assert caught.value.field == next(iter(wrong))
    assert not service.requests["AttachPlugin"]


@pytest.mark.parametrize("number", [True, 1.5, "3"])
def test_whole_numbers_are_whole_numbers(run, number):
    with pytest.raises(TypeError):
        run.attach("notify", priority=number)


def test_a_plugin_says_everything_itself(run):
    with pytest.raises(TypeError, match=r"dataclasses\.replace for schedule, settings"):
        run.attach(pilothouse.Plugin("notify"), "each(10)", patience=1)
    with pytest.raises(TypeError, match="not int"):
        run.attach(3)


def test_a_plugin_can_be_copied_with_changes_compared_and_hashed():
    plugin = pilothouse.Plugin("notify", "each(10)", timeline="batches", settings={"values": "loss"})
    assert plugin.timeline is pilothouse.Timeline.BATCHES
    other = dataclasses.replace(plugin, schedule="each(20)")
    assert (other.kind, other.schedule, other.settings) == ("notify", "each(20)", {"values": "loss"})
    assert len({plugin, dataclasses.replace(plugin), other}) == 2


def test_a_plugin_is_detached_and_rescheduled_by_name(service, run):
    assert run.detach("look", note="seen", at_batch=70).plugin == "look"
    receipt = run.reschedule("look", "each(5)", "examples", request_id="again")
    assert (receipt.plugin, receipt.request_id) == ("look", "again")
    (detach,), (reschedule,) = service.requests["DetachPlugin"], service.requests["ReschedulePlugin"]
    assert (detach.name, detach.options.note, detach.options.at_batch) == ("look", "seen", 70)
    assert (reschedule.schedule, reschedule.timeline) == ("each(5)", plugin_pb2.TIMELINE_EXAMPLES)


@pytest.mark.parametrize("reason", ["PLUGIN_NOT_FOUND", "SCHEDULE_INVALID", "NO_VALIDATION_DATA"])
def test_refusals_have_classes_of_their_own(service, run, reason):
    service.answers["ReschedulePlugin"] = [Refusal(grpc.StatusCode.NOT_FOUND, reason, position="7")]
    with pytest.raises(pilothouse.PilothouseError) as caught:
        run.reschedule("look", "each(")
    assert type(caught.value).__name__ == "".join(word.capitalize() for word in reason.split("_"))
    assert caught.value.metadata == {"position": "7"}


# Listing


def status() -> plugin_pb2.PluginStatus:
    told = plugin_pb2.PluginStatus(
        spec=plugin_pb2.PluginSpec(
            name="look",
            kind="notify",
            schedule="each(100)",
            timeline=plugin_pb2.TIMELINE_BATCHES,
            point=plugin_pb2.PLUGIN_POINT_AFTER_BATCH,
            settings={"values": "loss"},
            priority=0,
            required=False,
            max_failures=3,
        ),
        runs=3,
        failures=1,
        last_batch=300,
        next_due=400,
        now=310,
        last_failure="too slow",
        attached_batch=20,
    )
    told.spec.allowance.FromSeconds(10)
    told.total_time.FromMilliseconds(1500)
    told.last_time.FromMilliseconds(500)
    return told


def test_plugins_are_listed_with_when_they_ran_and_are_due(service, run):
    fresh = plugin_pb2.PluginStatus(
        spec=plugin_pb2.PluginSpec(name="best", kind="save-best", point=plugin_pb2.PLUGIN_POINT_AFTER_VALIDATION),
        waits_for="a validation",
        built_in=True,
    )
    service.answers["ListPlugins"] = [pb.ListPluginsResponse(plugins=[status(), fresh])]
    look, best = run.plugins()
    assert (look.name, look.kind, look.timeline, look.point) == ("look", "notify", "batches", "after_batch")
    assert (look.runs, look.failures, look.last_batch, look.next_due, look.now) == (3, 1, 300, 400, 310)
    assert (look.allowance, look.total_time, look.last_time) == (10, 1.5, 0.5)
    assert str(look) == (
        "look: each(100) on batches; ran 3 times, last at batch 300; failed 1 time, last: too slow; next at 400"
    )
    assert (best.last_batch, best.next_due, best.built_in) == (None, None, True)
    assert str(best) == "best: after_validation; never ran yet; waits for a validation"


def test_a_listed_plugin_can_be_attached_to_another_run(service, run):
    service.answers["ListPlugins"] = [pb.ListPluginsResponse(plugins=[status()])]
    (look,) = run.plugins()
    run.attach(look.plugin)
    assert attached(service) == status().spec


def test_a_state_tells_plugins_and_examples_held_out(service, run):
    facts = run_pb2.RunFacts(examples=4, validation_examples=1)
    service.answers["GetState"] = [pb.GetStateResponse(run=run_message(plugins=[status()], facts=facts))]
    state = run.state()
    assert [plugin.name for plugin in state.plugins] == ["look"]
    assert state.facts.validation_examples == 1


# Events


def test_what_plugins_report_arrives_as_events(service, run):
    reported = output(1, "look", "steady", loss=0.5, eta=0.1)
    reported.plugin.output.histograms.add(name="weights", minimum=-1, maximum=1, counts=[1, 2, 3, 4])
    failed = failure(2, "look", 3, detached=True)
    service.answers["WatchTraining"] = [[pb.WatchTrainingResponse(snapshot=run_message(), events=[reported, failed])]]
    _, event, failed = run.watch(kinds=["plugin"])
    assert service.requests["WatchTraining"][0].kinds == [event_pb2.EVENT_KIND_PLUGIN]
    assert (event.batch, event.plugin, event.kind, event.message) == (10, "look", "notify", "steady")
    assert event.values == {"loss": 0.5, "eta": 0.1}
    histogram = event.histograms["weights"]
    assert histogram.counts == (1, 2, 3, 4)
    np.testing.assert_array_equal(histogram.edges, [-1, -0.5, 0, 0.5, 1])
    assert repr(event) == "PluginEvent(1, batch 10, look: loss=0.5, eta=0.1, 1 histogram, 'steady')"
    assert (failed.message, failed.failures_in_a_row, failed.detached, failed.paused) == (
        "took too long",
        3,
        True,
        False,
    )
    assert repr(failed) == "PluginFailureEvent(2, batch 20, look: 'took too long', failure 3 in a row, detached)"


def test_what_is_listed_and_reported_can_be_kept_in_sets(service, run):
    service.answers["WatchTraining"] = 2 * [[pb.WatchTrainingResponse(events=[output(1, "look", loss=0.5)])]]
    service.answers["GetState"] = 2 * [pb.GetStateResponse(run=run_message(plugins=[status()]))]
    (first,), (second,) = list(run.watch()), list(run.watch())
    assert len({first, second}) == 1
    assert len({*run.state().plugins, *run.state().plugins}) == 1


def test_a_report_of_many_numbers_is_still_shown_on_one_line(service, run):
    many = output(1, "look", **{f"layer{number}": number for number in range(100)})
    empty = output(2, "look")
    service.answers["WatchTraining"] = [[pb.WatchTrainingResponse(snapshot=run_message(), events=[many, empty])]]
    _, event, nothing = run.watch()
    assert repr(event).endswith("layer7=7, 92 more values)")
    assert repr(nothing) == "PluginEvent(2, batch 20, look: nothing)"


def test_controls_of_plugins_name_the_plugin(service, run):
    changes = []
    for field in ("attach_plugin", "detach_plugin", "reschedule_plugin", "parameters"):
        change = control_pb2.Change()
        getattr(change, field).SetInParent()
        changes.append(change)
    events = [
        event_pb2.Event(sequence=place, control=event_pb2.ControlReport(change=change, plugin=plugin))
        for place, (change, plugin) in enumerate(zip(changes, ["a", "b", "c", ""], strict=True), start=1)
    ]
    service.answers["WatchTraining"] = [[pb.WatchTrainingResponse(snapshot=run_message(), events=events)]]
    told = [(event.kind, event.name, event.plugin) for event in list(run.watch())[1:]]
    assert told == [
        ("ATTACH_PLUGIN", "a", "a"),
        ("DETACH_PLUGIN", "b", "b"),
        ("RESCHEDULE_PLUGIN", "c", "c"),
        ("PARAMETERS", "parameters", ""),
    ]
