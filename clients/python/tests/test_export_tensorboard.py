"""Writing histories for TensorBoard, from the scripted service."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
from fake_service import failure, history_page, journal_failed, knob, loss, output, run_message, status
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import pilothouse
from pilothouse.v1 import event_pb2, plugin_pb2, run_pb2
from pilothouse.v1 import training_control_pb2 as pb


def read_back(folder: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0, "histograms": 0})
    accumulator.Reload()
    return accumulator


def test_tensorboard_reads_losses_knobs_and_what_plugins_reported(service, run, tmp_path):
    histogram = plugin_pb2.Histogram(name="weights", minimum=-1, maximum=1, counts=[1, 0, 3, 0])
    report = plugin_pb2.PluginReport(plugin="statistics", kind="statistics")
    report.output.CopyFrom(plugin_pb2.PluginOutput(histograms=[histogram]))
    content = [
        loss(1, value=0.5),
        status(2, "IDLE", 20, "PAUSED"),
        knob(3, "eta", 0.01, 0.1, "too noisy", batch=20),
        loss(4, value=math.nan),
        output(5, "validate", loss=0.25),
        event_pb2.Event(sequence=6, batch=60, plugin=report),
        failure(7, "validate"),
    ]
    content[0].time.FromMilliseconds(1_700_000_000_250)
    service.answers["ReadHistory"] = [history_page(*content[:3], then="two"), history_page(*content[3:])]
    assert run.export(tmp_path / "logs" / "digits", "tensorboard") == 7
    read = read_back(tmp_path / "logs" / "digits")
    first, second = read.Scalars("loss")
    assert (first.step, first.value, first.wall_time) == (10, 0.5, pytest.approx(1_700_000_000.25, abs=1e-3))
    assert second.step == 40
    assert math.isnan(second.value)
    assert [(point.step, point.value) for point in read.Scalars("knobs/eta")] == [
        (10, pytest.approx(0.1)),
        (20, pytest.approx(0.1)),
        (20, pytest.approx(0.01)),
    ]
    assert [(point.step, point.value) for point in read.Scalars("validate/loss")] == [(50, 0.25)]
    (counted,) = read.Histograms("statistics/weights")
    assert (counted.step, counted.histogram_value.min, counted.histogram_value.num) == (60, -1, 4)
    (told,) = read.Tensors("controls/text_summary")
    assert told.tensor_proto.string_val == [b"knob eta = 0.01 by ana@lab: too noisy"]
    (told,) = read.Tensors("validate/text_summary")
    assert told.tensor_proto.string_val == [b"took too long"]


def eta_points(folder: Path) -> list[tuple[int, float]]:
    read = read_back(folder)
    return (
        [(point.step, point.value) for point in read.Scalars("knobs/eta")]
        if "knobs/eta" in read.Tags()["scalars"]
        else []
    )


def test_tensorboard_has_the_eta_that_a_schedule_gave(service, run, tmp_path):
    control = knob(3, "eta", 0.25, 0.125, batch=20)
    content = [loss(1, eta=0.5), loss(2, eta=0.125), control, loss(4, eta=0.25), loss(5, eta=0.0625)]
    service.answers["ReadHistory"] = [history_page(*content)]
    assert run.export(tmp_path, "tensorboard") == 5
    assert eta_points(tmp_path) == [
        (10, 0.5),
        (20, 0.5),
        (20, 0.125),
        (20, 0.125),
        (20, 0.25),
        (50, 0.25),
        (50, 0.0625),
    ]


def test_tensorboard_has_the_eta_of_a_run_that_never_changed_it(service, run, tmp_path):
    service.answers["ReadHistory"] = [history_page(loss(1), loss(2))]
    service.answers["GetState"] = [pb.GetStateResponse(run=run_message(eta=0.25))]
    assert run.export(tmp_path, "tensorboard") == 2
    assert eta_points(tmp_path) == [(10, 0.25)]


def test_tensorboard_has_the_first_eta_of_a_branch_that_never_changed_it(service, run, tmp_path):
    elsewhere = knob(3, "eta", 0.01, 0.5, batch=20)
    service.answers["ReadHistory"] = [history_page(loss(1), loss(2)), history_page(elsewhere)]
    run.export(tmp_path, "tensorboard", branch="rewind-1")
    assert eta_points(tmp_path) == [(10, 0.5)]
    _, asked = service.requests["ReadHistory"]
    assert (asked.branch, list(asked.kinds)) == ("*", [event_pb2.EVENT_KIND_CONTROL])


def with_schedule(schedule: str, eta: float = 0.0002) -> pb.GetStateResponse:
    return pb.GetStateResponse(run=run_message(eta=eta, spec=run_pb2.RunSpec(eta_schedule=schedule)))


@pytest.mark.parametrize("schedule", ["", "constant", " constant unit=batches"])
def test_tensorboard_has_one_eta_where_the_schedule_is_that_it_stays(service, run, tmp_path, schedule):
    service.answers["ReadHistory"] = [history_page(status(1, "TRAINING"), status(2, "IDLE", 100))]
    service.answers["GetState"] = [with_schedule(schedule, eta=0.25)]
    run.export(tmp_path, "tensorboard", kinds=["status", "control"])
    assert eta_points(tmp_path) == [(0, 0.25)]


def test_tensorboard_does_not_take_a_scheduled_eta_of_now_for_the_first(service, run, tmp_path):
    service.answers["ReadHistory"] = [history_page(status(1, "TRAINING"), status(2, "IDLE", 100))]
    service.answers["GetState"] = [with_schedule("cosine over=20")]
    run.export(tmp_path, "tensorboard", kinds=["status", "control"])
    assert eta_points(tmp_path) == []


def test_tensorboard_does_not_take_a_scheduled_eta_before_a_control_for_the_first(service, run, tmp_path):
    content = [status(1, "TRAINING"), knob(2, "eta", 0.5, 0.125, batch=30), knob(3, "eta", 0.25, 0.5, batch=40)]
    service.answers["ReadHistory"] = [history_page(*content)]
    service.answers["GetState"] = [with_schedule("cosine over=20")]
    run.export(tmp_path, "tensorboard", kinds=["status", "control"])
    assert eta_points(tmp_path) == [(30, 0.125), (30, 0.5), (40, 0.5), (40, 0.25)]


def test_tensorboard_begins_a_scheduled_eta_with_the_first_loss(service, run, tmp_path):
    service.answers["ReadHistory"] = [history_page(status(1, "TRAINING"), loss(2, eta=0.125), loss(3, eta=0.0625))]
    service.answers["GetState"] = [with_schedule("cosine over=20")]
    run.export(tmp_path, "tensorboard")
    assert eta_points(tmp_path) == [(20, 0.125), (30, 0.125), (30, 0.0625)]


def test_tensorboard_begins_an_eta_of_no_schedule_where_the_other_curves_begin(service, run, tmp_path):
    service.answers["ReadHistory"] = [history_page(status(1, "TRAINING"), loss(2, eta=0.125))]
    service.answers["GetState"] = [with_schedule("")]
    run.export(tmp_path, "tensorboard")
    assert eta_points(tmp_path) == [(0, 0.125)]


@pytest.mark.parametrize("part", [{"kinds": "loss"}, {"first_batch": 10}])
def test_tensorboard_has_no_eta_where_it_was_not_asked_for_or_is_not_known(service, run, tmp_path, part):
    service.answers["ReadHistory"] = [history_page(loss(1))]
    run.export(tmp_path, "tensorboard", **part)
    assert eta_points(tmp_path) == []


def test_a_run_exported_again_for_tensorboard_is_there_once(service, run, tmp_path):
    for losses in ([loss(1)], [loss(1), loss(2)]):
        service.answers["ReadHistory"] = [history_page(*losses)]
        run.export(tmp_path, "tensorboard")
        assert len(list(tmp_path.iterdir())) == 1
    assert [point.step for point in read_back(tmp_path).Scalars("loss")] == [10, 20]


def test_tensorboard_files_are_replaced_only_once_they_are_complete(service, run, tmp_path):
    service.answers["ReadHistory"] = [history_page(loss(1))]
    run.export(tmp_path, "tensorboard")
    service.answers["ReadHistory"] = [history_page(loss(1), loss(2), then="two"), journal_failed()]
    with pytest.raises(pilothouse.JournalFailed):
        run.export(tmp_path, "tensorboard")
    assert len(list(tmp_path.iterdir())) == 1
    assert [point.step for point in read_back(tmp_path).Scalars("loss")] == [10]


def test_writing_for_tensorboard_without_tensorboardx_says_how_to_install_it(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(
        pilothouse.MissingExtra, match=rf"`{sys.executable} -m pip install tensorboardX`.*\[tensorboard\]"
    ):
        run.export(tmp_path / "logs", "tensorboard")
    assert list(tmp_path.iterdir()) == []
