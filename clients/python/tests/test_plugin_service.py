"""Plugins and a real service together. Needs $PILOTHOUSE_BIN, the folder with the built programs."""

from __future__ import annotations

import threading

import pytest
from service_testing import PATIENCE, start_classes, start_xor

import pilothouse


@pytest.fixture
def run(real_house):
    """A classifier of 300 points, of which 60 are held out."""
    run = start_classes(real_house, validation="20%", loss_every=1)
    yield run
    if not run.state().status.ended:
        run.stop()


def outputs(run: pilothouse.Run, name: str) -> list[pilothouse.PluginEvent]:
    """What the plugin of this name reported, of a run that has ended."""
    watched = run.watch(after_sequence=0, kinds=["plugin"])
    return [event for event in watched if isinstance(event, pilothouse.PluginEvent) and event.plugin == name]


def test_every_kind_has_a_description_and_settings_that_are_described(real_house):
    kinds = {kind.name: kind for kind in real_house.plugin_kinds()}
    assert {"validate", "early-stopping", "checkpoint", "notify"} <= set(kinds)
    assert all(kind.description and str(kind) for kind in kinds.values())
    assert all(setting.description for kind in kinds.values() for setting in kind.settings)


@pytest.mark.parametrize(
    ("validation", "held_out"),
    [("29%", 87), (0.2, 60), ("20%", 60), (1, 1), ("300", None), ("0.001", None), (290, 290)],
)
def test_what_is_held_out_is_rounded_to_the_nearest_number(real_house, validation, held_out):
    if held_out is None:
        with pytest.raises(pilothouse.SpecInvalid, match="of 300 examples is"):
            start_classes(real_house, validation=validation)
        return
    run = start_classes(real_house, validation=validation)
    facts = run.state().facts
    assert (facts.validation_examples, facts.examples) == (held_out, 300 - held_out)
    run.stop()


def test_what_is_left_to_learn_from_must_be_of_two_classes(real_house):
    with pytest.raises(pilothouse.DataMalformed, match="needs examples of two or more"):
        start_classes(real_house, validation=299)


def test_a_run_is_validated_by_a_plugin_it_was_started_with(real_house):
    run = start_classes(
        real_house, validation=60, plugins=[pilothouse.Plugin("validate", "each(50)", timeline="batches")]
    )
    run.batch_to(200)
    run.wait(timeout=PATIENCE)
    run.stop()
    reported = outputs(run, "validate")
    assert [event.batch for event in reported] == [50, 100, 150, 200]
    assert all(any("loss" in name for name in event.values) for event in reported)
    (validate,) = [plugin for plugin in run.plugins() if plugin.name == "validate"]
    assert validate.last_batch == 200


def test_plugins_are_attached_listed_rescheduled_and_detached(run):
    receipt = run.attach("notify", "each(10)", values=["loss", "eta"], name="look", note="just looking")
    assert (receipt.plugin, receipt.applied_batch) == ("look", 0)
    run.batch_to(35)
    run.wait(timeout=PATIENCE)
    (look,) = [plugin for plugin in run.plugins() if plugin.name == "look"]
    assert (look.kind, look.timeline, look.runs, look.last_batch, look.next_due, look.now) == (
        "notify",
        "batches",
        3,
        30,
        40,
        35,
    )
    assert run.reschedule("look", "each(7)").plugin == "look"
    run.batch_to(45)
    run.wait(timeout=PATIENCE)
    assert run.detach("look").plugin == "look"
    with pytest.raises(pilothouse.PluginNotFound):
        run.detach("look")
    run.batch_to(60)
    run.wait(timeout=PATIENCE)
    run.stop()
    assert [event.batch for event in outputs(run, "look")] == [10, 20, 30, 42]
    assert outputs(run, "look")[0].values["eta"] == pytest.approx(0.1)
    changes = [
        (event.kind, event.batch, event.plugin)
        for event in run.watch(after_sequence=0, kinds=["control"])
        if isinstance(event, pilothouse.ControlEvent) and event.plugin
    ]
    assert changes == [("ATTACH_PLUGIN", 0, "look"), ("RESCHEDULE_PLUGIN", 35, "look"), ("DETACH_PLUGIN", 45, "look")]


def test_the_same_request_id_attaches_one_plugin(run):
    first = run.attach("notify", "each(10)", request_id="once")
    assert run.attach("notify", "each(10)", request_id="once") == first
    second = run.attach("notify", "each(10)")
    assert second.plugin != first.plugin
    assert second.value == first.value + 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("nothing",), pilothouse.PluginKindUnknown),
        (("notify", "each("), pilothouse.ScheduleInvalid),
        (("notify", "each(10)", {"settings": {"volume": 11}}), pilothouse.PluginSettingInvalid),
        (("notify", "each(10)", {"values": "gloom"}), pilothouse.PluginSettingInvalid),
        (("notify", "each(10)", {"name": "Look!"}), pilothouse.PluginInvalid),
    ],
)
def test_what_is_wrong_with_a_plugin_is_said(run, arguments, error):
    *texts, more = (*arguments, {}) if len(arguments) < 3 else arguments
    with pytest.raises(error) as caught:
        run.attach(*texts, **more)
    assert str(caught.value).endswith(".")


def test_a_score_that_validations_cannot_have_is_refused_at_the_start(real_house):
    accuracy = pilothouse.Plugin("save-best", settings={"metric": "validation_accuracy"})
    with pytest.raises(
        pilothouse.PluginSettingInvalid, match="validation_loss, validation_r2, validation_mae"
    ) as caught:
        start_xor(real_house, validation=1, plugins=["validate", accuracy])
    assert caught.value.field == "spec.plugins[1].settings.metric"


def test_a_run_that_holds_nothing_out_cannot_be_validated(real_house):
    run = start_xor(real_house)
    with pytest.raises(pilothouse.NoValidationData):
        run.attach("validate")
    run.stop()


def test_a_function_of_this_process_is_called_and_steers(run):
    seen = []

    @run.every("each(50)", timeline="batches", values=("loss", "eta"))
    def slow_down(event, run):
        seen.append(event)
        if event.batch >= 100:
            run.set_eta(0.025, note="far enough")

    run.batch_to(100)
    run.wait(timeout=PATIENCE)
    slow_down.join(PATIENCE)
    assert slow_down.error is None
    assert seen[-1].batch == 100
    assert seen[-1].values["eta"] == pytest.approx(0.1)
    assert run.state().eta == pytest.approx(0.025)
    assert len(seen) + slow_down.missed == 2
    run.stop()
    slow_down.join(PATIENCE)
    assert slow_down.ended
    (steered,) = [
        event
        for event in run.watch(after_sequence=0, kinds=["control"])
        if isinstance(event, pilothouse.ControlEvent) and event.name == "eta"
    ]
    assert steered.origin.endswith("/slow-down")


def test_a_function_is_told_from_others_by_the_batch_at_which_it_was_attached(run):
    run.batch_to(20)
    run.wait(timeout=PATIENCE)

    @run.every("each(10)", timeline="batches")
    def look(event, run):
        pass

    listed = {plugin.name: plugin for plugin in run.plugins()}[look.name]
    assert (listed.kind, listed.attached_batch) == ("notify", look.receipt.applied_batch)
    assert look.receipt.applied_batch == 20
    assert look._is_listed(run, PATIENCE, once=True)
    run.detach(look.name)
    run.batch_to(30)
    run.wait(timeout=PATIENCE)
    run.attach("notify", "each(10)", name=look.name)
    assert not look._is_listed(run, PATIENCE, once=True)


def test_a_function_that_takes_long_holds_up_nobody(run):
    go = threading.Event()

    @run.every("each(10)", timeline="batches")
    def look(event, run):
        go.wait(PATIENCE)

    run.batch_to(1000)
    state = run.wait(timeout=PATIENCE)
    assert state.batch == 1000
    assert look.calls <= 1
    go.set()
    look.join(PATIENCE)
    assert look.calls + look.missed <= 100
    with look:
        pass
    assert look.ended
    assert "look" not in [plugin.name for plugin in run.plugins()]
