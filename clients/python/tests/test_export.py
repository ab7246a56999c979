"""Writing histories to files, from the scripted service."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
from fake_service import (
    checkpoint,
    checkpoint_file,
    history_page,
    journal_failed,
    knob,
    loss,
    output,
    state_report,
    status,
)

import pilothouse
from pilothouse.__main__ import main
from pilothouse.v1 import control_pb2, event_pb2, plugin_pb2


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def json_lines(path: Path) -> list[dict]:
    return [json.loads(line, parse_constant=refuse_constant) for line in path.read_text().splitlines()]


@pytest.fixture
def some(service) -> None:
    """A history of two pages."""
    at = [loss(1, value=0.1), status(2, "IDLE", 20, "PAUSED"), knob(3, "eta", 0.01, 0.1, 'a, b\n"c"', batch=20)]
    on = [loss(4, value=math.inf), state_report(5, 1.0, math.nan, eta=0.01), output(6, "look", rest=0.5)]
    service.answers["ReadHistory"] = [history_page(*at, then="two"), history_page(*on, checkpoint(7, 60))]


@pytest.mark.usefixtures("some")
def test_a_csv_has_a_row_for_each_event(run, tmp_path):
    file = tmp_path / "digits.csv"
    assert run.export(file) == 7
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["kind"] for row in rows] == ["loss", "status", "control", "loss", "state", "plugin", "checkpoint"]
    assert [row["value"] for row in rows] == ["0.1", "", "0.01", "Infinity", "0.01", "0.5", "60"]
    assert [row["previous_value"] for row in rows] == ["", "", "0.1", "", "", "", ""]
    assert (rows[2]["name"], rows[2]["origin"]) == ("eta", "ana@lab")
    assert json.loads(rows[2]["details"])["note"] == 'a, b\n"c"'
    assert rows[6]["name"] == checkpoint_file(60)
    assert rows[0]["time"] == "1970-01-01T00:00:00Z"
    # What is usual is left out; 0 is a number.
    assert json.loads(rows[1]["details"]) == {"idle_reason": "PAUSED", "target": 0, "loss": 0.0}
    assert rows[0]["details"] == ""
    assert json.loads(rows[5]["details"]) == {"kind": "notify", "values": {"rest": 0.5}}


@pytest.mark.usefixtures("some")
def test_json_lines_tell_all_and_are_json_whatever_the_numbers(run, tmp_path):
    file = tmp_path / "digits.jsonl"
    assert run.export(file) == 7
    told = json_lines(file)
    assert [line["type"] for line in told] == ["loss", "status", "control", "loss", "state", "plugin", "checkpoint"]
    assert [line["sequence"] for line in told] == [1, 2, 3, 4, 5, 6, 7]
    assert told[0] == {
        "type": "loss",
        "sequence": 1,
        "batch": 10,
        "time": "1970-01-01T00:00:00Z",
        "value": 0.1,
        "at_target": False,
        "eta": None,
    }
    assert (told[1]["status"], told[1]["idle_reason"]) == ("IDLE", "PAUSED")
    assert (told[2]["control"], told[2]["name"], told[2]["previous_value"]) == ("knob", "eta", 0.1)
    assert told[3]["value"] == "Infinity"
    assert told[4]["state"] == [1.0, "NaN"]
    assert told[5]["values"] == {"rest": 0.5}
    assert (told[6]["checkpoint_batch"], told[6]["held_up_seconds"], told[6]["writing_seconds"]) == (60, 0.002, 0.25)


@pytest.mark.parametrize("format_name", ["csv", "jsonl"])
def test_a_loss_that_there_is_not_yet_is_no_number(service, run, tmp_path, format_name):
    first = state_report(1, 1.0)
    first.state.loss = -1
    paused = status(2, "IDLE", 20, "PAUSED")
    paused.status.loss = -1
    service.answers["ReadHistory"] = [history_page(first, paused)]
    file = tmp_path / "t1"
    run.export(file, format_name)
    assert "-1" not in file.read_text()
    if format_name == "jsonl":
        assert [line["loss"] for line in json_lines(file)] == [None, None]


@pytest.mark.usefixtures("some")
def test_the_observatorys_log_pairs_batches_with_values(service, run, tmp_path):
    file = tmp_path / "t1.jsons"
    assert run.export(file) == 4
    assert json_lines(file) == [
        {"loss": [10, 0.1]},
        {"eta": [20, 0.01]},
        {"loss": [40, None]},
        {"eta": [50, 0.01], "sv": [50, [1.0, None]]},
    ]
    kinds = set(service.requests["ReadHistory"][0].kinds)
    assert kinds == {event_pb2.EVENT_KIND_LOSS, event_pb2.EVENT_KIND_STATE, event_pb2.EVENT_KIND_CONTROL}


def test_the_observatorys_log_begins_with_the_loss_that_there_is_not_yet(service, run, tmp_path):
    first = state_report(1, 1.0)
    first.batch, first.state.loss = 0, -1
    service.answers["ReadHistory"] = [history_page(first)]
    run.export(tmp_path / "t1.jsons")
    assert json_lines(tmp_path / "t1.jsons") == [{"eta": [0, 0.1], "sv": [0, [1.0]], "loss": [0, -1.0]}]


def test_the_observatorys_log_tells_eta_with_a_loss_where_a_schedule_has_changed_it(service, run, tmp_path):
    content = [loss(1, eta=0.5), loss(2, eta=0.5), loss(3, eta=0.125), loss(4)]
    content += [state_report(5, 1.0, eta=0.5), loss(6, eta=0.5), knob(7, "eta", 0.25, 0.5), loss(8, eta=0.25)]
    service.answers["ReadHistory"] = [history_page(*content)]
    run.export(tmp_path / "t1.jsons")
    assert json_lines(tmp_path / "t1.jsons") == [
        # Nothing has told it before.
        {"loss": [10, 0.5], "eta": [10, 0.5]},
        {"loss": [20, 0.5]},
        {"loss": [30, 0.5], "eta": [30, 0.125]},
        # Older trainers do not say it.
        {"loss": [40, 0.5]},
        {"eta": [50, 0.5], "sv": [50, [1.0]]},
        {"loss": [60, 0.5]},
        {"eta": [0, 0.25]},
        {"loss": [80, 0.5]},
    ]


def test_every_control_can_be_told(service, run, tmp_path):
    spec = plugin_pb2.PluginSpec(name="stop", kind="early-stopping", settings={"patience": "5"})
    changes = [
        control_pb2.Change(target=control_pb2.TargetChange(batch=50)),
        control_pb2.Change(attach_plugin=control_pb2.AttachPluginChange(plugin=spec)),
        control_pb2.Change(reschedule_plugin=control_pb2.ReschedulePluginChange(name="stop", schedule="each(5)")),
        control_pb2.Change(parameters=control_pb2.ParametersChange(file="f", from_run_id="b", from_batch=4)),
        control_pb2.Change(checkpoint=control_pb2.CheckpointChange(pin=True)),
        control_pb2.Change(rewind=control_pb2.RewindChange(batch=10)),
    ]
    reports = [
        event_pb2.ControlReport(change=change, plugin="stop" if "plugin" in str(change) else "") for change in changes
    ]
    service.answers["ReadHistory"] = [
        history_page(*(event_pb2.Event(sequence=number, control=report) for number, report in enumerate(reports, 1)))
    ]
    run.export(tmp_path / "controls.jsonl")
    told = json_lines(tmp_path / "controls.jsonl")
    kinds = ["target", "attach_plugin", "reschedule_plugin", "parameters", "checkpoint", "rewind"]
    assert [line["control"] for line in told] == kinds
    assert [line["name"] for line in told] == [None, "stop", "stop", None, None, None]
    assert told[1]["spec"]["settings"] == {"patience": "5"}
    assert (told[2]["schedule"], told[3]["from_batch"], told[4]["pin"]) == ("each(5)", 4, True)


@pytest.fixture
def set_then_following(service) -> None:
    """Two controls of eta: it was set, then it follows its schedule again."""
    service.answers["ReadHistory"] = [
        history_page(knob(1, "eta", 0.5, 0.25), knob(2, "eta", 0.25, 0.5, follow_schedule=True), status(3, "IDLE"))
    ]


@pytest.mark.usefixtures("set_then_following")
def test_json_lines_tell_an_eta_that_follows_its_schedule_from_one_that_was_set(run, tmp_path):
    run.export(tmp_path / "digits.jsonl")
    assert [line.get("follow_schedule") for line in json_lines(tmp_path / "digits.jsonl")] == [False, True, None]


@pytest.mark.usefixtures("set_then_following")
def test_the_details_of_a_csv_say_that_eta_follows_its_schedule(run, tmp_path):
    run.export(tmp_path / "digits.csv")
    with (tmp_path / "digits.csv").open(newline="") as lines:
        details = [json.loads(row["details"]) for row in csv.DictReader(lines)]
    assert [told.get("follow_schedule") for told in details] == [None, True, None]


def test_filters_are_passed_on(service, run, tmp_path):
    run.export(tmp_path / "a", "csv", kinds="loss", first_batch=10, last_batch=90, points=50, branch="rewind-1")
    (request,) = service.requests["ReadHistory"]
    assert list(request.kinds) == [event_pb2.EVENT_KIND_LOSS]
    assert (request.first_batch, request.last_batch, request.max_points, request.branch) == (10, 90, 50, "rewind-1")


def test_a_file_is_replaced_only_once_the_new_one_is_complete(service, run, tmp_path):
    file = tmp_path / "digits.csv"
    file.write_text("as it was")
    service.answers["ReadHistory"] = [history_page(loss(1), then="two"), journal_failed()]
    with pytest.raises(pilothouse.JournalFailed):
        run.export(file)
    assert file.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [file]
    service.answers["ReadHistory"] = [history_page(loss(1))]
    assert run.export(file) == 1
    assert list(tmp_path.iterdir()) == [file]
    assert len(file.read_text().splitlines()) == 2


@pytest.mark.parametrize(("name", "wanted"), [("digits.txt", None), ("digits", None), ("digits.csv", "excel")])
def test_a_format_that_does_not_exist_is_refused_before_anything_is_read(service, run, tmp_path, name, wanted):
    with pytest.raises(pilothouse.SpecInvalid, match="csv, jsonl, jsons, tensorboard"):
        run.export(tmp_path / name, wanted)
    assert "ReadHistory" not in service.requests
    assert list(tmp_path.iterdir()) == []


def command(service, *arguments: str) -> list[str]:
    return ["export", "--address", service.address, "--run", "digits", *arguments]


def test_the_command_exports_what_its_options_say(service, tmp_path, capsys):
    service.answers["ReadHistory"] = [history_page(loss(2), loss(3))]
    options = ["--from", "10", "--to", "90", "--points", "100", "--branch", "rewind-1", "--kinds", "loss,control"]
    file = tmp_path / "digits.out"
    assert main(command(service, "--format", "jsons", *options, str(file))) == 0
    assert json_lines(file) == [{"loss": [20, 0.5]}, {"loss": [30, 0.5]}]
    (request,) = service.requests["ReadHistory"]
    assert (request.first_batch, request.last_batch, request.max_points, request.branch) == (10, 90, 100, "rewind-1")
    assert list(request.kinds) == [event_pb2.EVENT_KIND_LOSS, event_pb2.EVENT_KIND_CONTROL]
    assert capsys.readouterr().out == f"Wrote 2 events of run digits to {file}.\n"


def test_the_command_says_what_is_wrong_and_exits_as_pilot_does(service, tmp_path, capsys):
    assert main(command(service, str(tmp_path / "digits"))) == 1
    assert capsys.readouterr().err.startswith("pilothouse: 'digits' does not say which format to write")
    assert main(command(service, str(tmp_path / "missing" / "digits.csv"))) == 1
    assert "No such file" in capsys.readouterr().err
    service.stop()
    assert main(command(service, str(tmp_path / "digits.csv"))) == 3
    assert "No pilothoused answers" in capsys.readouterr().err
    with pytest.raises(SystemExit) as wrong:
        main(command(service, "--points", "many", "a.csv"))
    assert wrong.value.code == 2
    service.start()
