"""History and exports of a real service. Needs $PILOTHOUSE_BIN, the folder with the built programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from service_testing import PATIENCE, check_same_files, start_xor
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import pilothouse
from pilothouse.__main__ import main


@pytest.fixture
def steered(real_house):
    """Sixty batches whose every loss is reported, with a smaller eta after the thirtieth; ended."""
    run = start_xor(real_house, loss_every=1, state_every=20, plugins=[pilothouse.Plugin("statistics", "each(20)")])
    for batch, eta in ((30, 0.05), (60, 0.02)):
        run.batch_to(batch)
        run.wait(timeout=PATIENCE)
        run.set_eta(eta, note=f"at {batch}")
    run.stop()
    return run


def test_a_history_is_what_a_watch_from_the_beginning_sees(steered):
    told = [event for event in steered.history() if not isinstance(event, pilothouse.PluginEvent)]
    kinds = ["loss", "status", "control", "checkpoint"]
    with steered.watch(after_sequence=0, kinds=kinds, min_interval=0) as watch:
        assert told == [event for event in watch if hasattr(event, "sequence")]
    assert steered.history().damaged == ()


def test_losses_are_thinned_to_what_a_curve_needs(steered):
    batches, values = steered.losses(points=None)
    assert batches.tolist() == list(range(1, 61))
    assert values[0] == pytest.approx(0.545515713358, abs=1e-9)
    few = steered.losses(points=10)
    assert 2 <= len(few.batches) <= 10
    assert {1, 60} <= set(few.batches.tolist())
    assert min(few.values) == min(values)
    assert max(few.values) == max(values)
    some = steered.losses(first_batch=20, last_batch=29)
    assert some.batches.tolist() == list(range(20, 30))


def test_a_history_of_no_range_is_refused(steered):
    with pytest.raises(pilothouse.BranchNotFound):
        steered.losses(branch="nowhere")
    with pytest.raises(pilothouse.HistoryRangeInvalid):
        steered.losses(first_batch=9, last_batch=3)


def test_a_history_becomes_a_frame(steered):
    frame = steered.history(kinds=["loss", "control"]).frame()
    controls = frame[(frame["kind"] == "control") & (frame["name"] == "eta")]
    assert controls["value"].tolist() == [0.05, 0.02]
    assert controls["previous_value"].tolist() == [0.1, 0.05]
    assert controls["batch"].tolist() == [30, 60]
    assert [details["note"] for details in controls["details"]] == ["at 30", "at 60"]
    assert len(frame[frame["kind"] == "loss"]) == 60


@pytest.mark.parametrize("format_name", ["csv", "jsonl", "jsons"])
def test_pilot_writes_the_same_files(real_house, steered, tmp_path, format_name):
    check_same_files(real_house, steered, tmp_path, format_name)


def test_pilot_lets_this_package_write_for_tensorboard(real_house, steered, tmp_path):
    pilot = Path(os.environ["PILOTHOUSE_BIN"]) / "pilot"
    command = [pilot, "--address", real_house.address, "export", steered.run_id, tmp_path, "--format", "tensorboard"]
    options = ["--kinds", "loss,control", "--from", "20", "--to", "40", "--points", "5"]
    subprocess.run([*command, *options], check=True, env=os.environ | {"PILOTHOUSE_PYTHON": sys.executable})
    read = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    read.Reload()
    steps = [point.step for point in read.Scalars("loss")]
    assert (min(steps), max(steps), len(steps) <= 5) == (20, 40, True)
    assert [point.step for point in read.Scalars("knobs/eta")] == [20, 30, 30]


def test_the_command_writes_what_tensorboard_reads(real_house, steered, tmp_path, capsys):
    asked = ["--address", real_house.address, "--run", steered.run_id, "--format", "tensorboard"]
    assert main(["export", *asked, str(tmp_path)]) == 0
    assert f"of run {steered.run_id} to {tmp_path}" in capsys.readouterr().out
    read = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    read.Reload()
    points = read.Scalars("loss")
    assert [point.step for point in points] == list(range(1, 61))
    np.testing.assert_array_equal([point.value for point in points], np.float32(steered.losses(None).values))
    assert [point.step for point in read.Scalars("knobs/eta")] == [0, 30, 30, 60, 60]
    assert any(tag.startswith("statistics/") for tag in read.Tags()["scalars"])


def test_the_observatorys_log_holds_states_too(real_house, tmp_path):
    run = start_xor(real_house, loss_every=1, state_every=10, batch_to=20)
    run.wait(timeout=PATIENCE)
    run.export(tmp_path / "t1.jsons")
    lines = [json.loads(line) for line in (tmp_path / "t1.jsons").read_text().splitlines()]
    assert [line["loss"][0] for line in lines if "loss" in line] == list(range(21))
    states = [line for line in lines if "sv" in line]
    assert [line["sv"][0] for line in states] == [0, 10, 20]
    assert states[0]["sv"][1] == pytest.approx(np.arange(1, 10) / 10)
    assert (states[0]["eta"], states[0]["loss"]) == ([0, 0.1], [0, -1])
    run.stop()
