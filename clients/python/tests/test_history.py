"""Reading what a run has reported, from the scripted service."""

from __future__ import annotations

import logging
import math
import sys

import grpc
import numpy as np
import pandas as pd
import pytest
from fake_service import (
    Refusal,
    checkpoint,
    checkpoint_file,
    knob,
    loss,
    output,
    rewind,
    state_report,
    status,
    unavailable,
)

import pilothouse
from pilothouse.v1 import event_pb2
from pilothouse.v1 import training_control_pb2 as pb


def page(
    *content: event_pb2.Event, then: str = "", damaged: tuple[tuple[int, int], ...] = ()
) -> pb.ReadHistoryResponse:
    gaps = [pb.Gap(first=first, last=last) for first, last in damaged]
    return pb.ReadHistoryResponse(events=content, next_page_token=then, damaged=gaps)


def test_nothing_is_asked_for_that_was_not_said(service, run):
    assert list(run.history()) == []
    (request,) = service.requests["ReadHistory"]
    assert request == pb.ReadHistoryRequest(run_id="digits", page_size=request.page_size)


def test_what_is_wanted_is_asked_for(service, run):
    list(run.history(kinds=["loss", "checkpoint"], first_batch=0, last_batch=90, points=100, branch="*"))
    (request,) = service.requests["ReadHistory"]
    assert list(request.kinds) == [event_pb2.EVENT_KIND_LOSS, event_pb2.EVENT_KIND_CHECKPOINT]
    assert (request.HasField("first_batch"), request.first_batch, request.last_batch) == (True, 0, 90)
    assert (request.max_points, request.branch) == (100, "*")


def test_pages_are_read_one_after_the_other_only_as_they_are_needed(service, run):
    service.answers["ReadHistory"] = [page(loss(1), loss(2), then="two"), page(loss(5), then="three"), page(loss(6))]
    events = iter(run.history())
    assert [next(events).sequence for _ in range(2)] == [1, 2]
    assert len(service.requests["ReadHistory"]) == 1
    assert [event.sequence for event in events] == [5, 6]
    assert [request.page_token for request in service.requests["ReadHistory"]] == ["", "two", "three"]


def test_a_history_can_be_read_again(service, run):
    service.answers["ReadHistory"] = [page(loss(1), then="two"), page(loss(2)), page(loss(1), loss(2), loss(3))]
    history = run.history()
    assert [event.sequence for event in history] == [1, 2]
    assert [event.sequence for event in history] == [1, 2, 3]
    assert service.requests["ReadHistory"][2].page_token == ""


def test_a_page_is_asked_for_again_while_the_service_is_unavailable(service, run):
    service.answers["ReadHistory"] = [page(loss(1), then="two"), unavailable(), page(loss(2))]
    assert [event.sequence for event in run.history()] == [1, 2]
    assert [request.page_token for request in service.requests["ReadHistory"]] == ["", "two", "two"]


def test_a_damaged_journal_is_told_once_and_the_rest_is_read(service, run, caplog):
    hole = ((2, 4),)
    service.answers["ReadHistory"] = [page(loss(1), then="two", damaged=hole), page(loss(5), damaged=hole)]
    history = run.history()
    with caplog.at_level(logging.WARNING, logger="pilothouse"):
        assert [event.sequence for event in history] == [1, 5]
    assert history.damaged == (pilothouse.Gap(2, 4),)
    assert [record.getMessage() for record in caplog.records] == [
        "the journal of digits is damaged: its events 2 to 4 cannot be read"
    ]


def test_damage_is_read_where_nothing_was_read_yet(service, run):
    service.answers["ReadHistory"] = [page(loss(1), then="two", damaged=((2, 4),)), page(loss(5), damaged=((6, 6),))]
    history = run.history()
    assert history.damaged == (pilothouse.Gap(2, 4), pilothouse.Gap(6, 6))
    assert history.damaged == (pilothouse.Gap(2, 4), pilothouse.Gap(6, 6))
    assert len(service.requests["ReadHistory"]) == 2


@pytest.mark.parametrize("points", [0, 1, 100_001, -5, 2**40])
def test_a_number_of_points_outside_its_range_is_refused_here(service, run, points):
    with pytest.raises(pilothouse.HistoryRangeInvalid, match="2 to 100,000"):
        run.history(points=points)
    assert "ReadHistory" not in service.requests


def test_a_branch_that_does_not_exist_is_an_error_of_the_reading(service, run):
    service.answers["ReadHistory"] = [
        Refusal(grpc.StatusCode.NOT_FOUND, "BRANCH_NOT_FOUND", branch="rewind-9", known="rewind-1")
    ]
    history = run.history(branch="rewind-9")
    with pytest.raises(pilothouse.BranchNotFound) as caught:
        list(history)
    assert caught.value.metadata["known"] == "rewind-1"


def test_losses_come_as_two_arrays_thinned_for_a_curve(service, run):
    service.answers["ReadHistory"] = [page(loss(1, value=math.nan), loss(2, value=0.25), then="two"), page(loss(3))]
    losses = run.losses()
    assert service.requests["ReadHistory"][0].max_points == 2000
    assert list(service.requests["ReadHistory"][0].kinds) == [event_pb2.EVENT_KIND_LOSS]
    assert (losses.batches.dtype, losses.values.dtype) == (np.int64, np.float64)
    batches, values = losses
    np.testing.assert_array_equal(batches, [10, 20, 30])
    np.testing.assert_array_equal(values, [math.nan, 0.25, 0.5])


def test_a_run_without_losses_has_two_empty_arrays(run):
    batches, values = run.losses(points=None)
    assert (batches.shape, values.shape) == ((0,), (0,))


def everything() -> list[event_pb2.Event]:
    return [
        status(1, "IDLE", 0, "PAUSED"),
        knob(2, "eta", 0.01, 0.1, note="too noisy"),
        loss(3, value=math.nan, at_target=True),
        state_report(4, 1.0, 2.0, eta=0.01),
        output(5, "look", "well", loss=0.5, eta=0.01),
        checkpoint(6, 60),
        rewind(7, 70, 20),
    ]


def test_a_frame_has_a_row_for_each_event(service, run):
    service.answers["ReadHistory"] = [page(*everything())]
    frame = run.history().frame()
    columns = ["sequence", "batch", "time", "kind", "name", "value", "previous_value", "eta", "origin", "details"]
    assert list(frame.columns) == columns
    assert frame["kind"].tolist() == ["status", "control", "loss", "state", "plugin", "checkpoint", "control"]
    assert frame["name"].tolist() == ["IDLE", "eta", "", "", "look", checkpoint_file(60), "rewind"]
    np.testing.assert_array_equal(frame["value"], [math.nan, 0.01, math.nan, 0.01, 0.5, 60, 20])
    np.testing.assert_array_equal(frame["previous_value"].dropna(), [0.1, 70])
    assert frame["origin"][1] == "ana@lab"
    assert frame["details"][1]["note"] == "too noisy"
    assert frame["details"][4]["values"] == {"loss": 0.5, "eta": 0.01}
    assert frame["details"][6]["branch"] == "rewind-1"
    assert frame["sequence"].dtype == np.int64
    assert isinstance(frame["time"].dtype, pd.DatetimeTZDtype)


def test_a_frame_has_the_eta_at_losses_and_states(service, run):
    with_eta = loss(1)
    with_eta.loss.eta = 0.25
    service.answers["ReadHistory"] = [page(with_eta, loss(2), state_report(3, 1.0, eta=0.5), output(4, "look", loss=1))]
    frame = run.history().frame()
    np.testing.assert_array_equal(frame["eta"], [0.25, math.nan, 0.5, math.nan])
    assert frame["details"][0] == {"at_target": False}
    service.answers["ReadHistory"] = [page(with_eta, loss(2))]
    assert [event.eta for event in run.history()] == [0.25, None]


def test_the_frame_of_nothing_has_the_same_columns_and_types(service, run):
    empty = run.history().frame()
    service.answers["ReadHistory"] = [page(*everything())]
    full = run.history().frame()
    assert len(empty) == 0
    assert list(empty.columns) == list(full.columns)
    for column in ("sequence", "batch", "value", "previous_value", "eta"):
        assert empty[column].dtype == full[column].dtype


def test_a_frame_without_pandas_says_how_to_install_it(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(pilothouse.MissingExtra, match=r"-m pip install pandas`.*\[pandas\]") as caught:
        run.history().frame()
    assert isinstance(caught.value, ImportError)
    assert caught.value.metadata == {"package": "pandas", "extra": "pandas"}
