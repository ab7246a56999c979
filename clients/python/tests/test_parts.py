"""Which examples are held out, and how tables and threads are told of, as the scripted service is told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from data_testing import start, started
from fake_service import run_message

import pilothouse
from pilothouse.v1 import run_pb2
from pilothouse.v1 import training_control_pb2 as pb


@pytest.mark.parametrize(
    ("size", "text"),
    [
        ("0.2", "0.2"),
        ("20%", "20%"),
        (" 29 % ", " 29 % "),
        ("300", "300"),
        ("many", "many"),  # what text means, the service says
        (0.2, "0.2"),
        (0.29, "0.29"),
        (np.float32(0.29), "0.29"),
        (np.float64(0.5), "0.5"),
        (1e-5, "0.00001"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1 / 300, "0.00333333333333333"),  # 18 digits are the most that the service reads
        (300, "300"),
        (np.int64(7), "7"),
    ],
)
def test_the_size_of_a_part_travels_in_the_decimals_it_is_written_in(service, house, size, text):
    start(house, validation=size, test=size)
    data = started(service).data
    assert data.test_size == text
    if isinstance(size, int | np.integer):
        assert (data.WhichOneof("validation"), data.validation_examples) == ("validation_examples", size)
    else:
        assert (data.WhichOneof("validation"), data.validation_size) == ("validation_size", text)


@pytest.mark.parametrize("name", ["validation", "test"])
@pytest.mark.parametrize(
    "size", [True, False, np.True_, 0, -5, 2**63, 1.0, 0.0, -0.2, math.nan, math.inf, 2.5, "", " ", []]
)
def test_a_size_that_cannot_be_told_to_the_service_is_a_value_error(service, house, name, size):
    with pytest.raises(ValueError, match=f"^{name} is a part of the examples above 0 and below 1") as caught:
        start(house, **{name: size})
    assert isinstance(caught.value, pilothouse.SpecInvalid)
    assert caught.value.field == f"spec.data.{name}"
    assert not service.requests["StartRun"]


def test_what_is_not_said_of_the_data_is_left_to_the_service(service, house):
    start(house)
    assert started(service).data == run_pb2.DataSpec(file="xor.csv")
    assert started(service).threads == 1


@pytest.mark.parametrize("name", ["random", "tail", "stratified"])
def test_splits_are_called_by_name(service, house, name):
    start(house, split=name, split_seed=2**64 - 1, seed=3)
    data = started(service).data
    assert run_pb2.SplitMethod.Name(data.split) == f"SPLIT_METHOD_{name.upper()}"
    assert (data.split_seed, started(service).seed) == (2**64 - 1, 3)


def test_tables_name_their_targets_and_the_weight(service, house):
    start(house, target_columns="y", weight_column="w")
    assert (list(started(service).data.target_columns), started(service).data.weight_column) == (["y"], "w")
    start(house, target_columns=[np.int64(1)], weight_column=-1)
    assert (list(started(service).data.target_columns), started(service).data.weight_column) == (["1"], "-1")


@pytest.mark.parametrize(
    ("given", "named"), [("id", ["id"]), (-1, ["-1"]), (["id", 2], ["id", "2"]), (None, []), ((), [])]
)
def test_tables_name_columns_not_to_learn_from(service, house, given, named):
    start(house, ignored_columns=given)
    assert list(started(service).data.ignored_columns) == named


def test_the_number_of_threads_is_told(service, house):
    start(house, threads=np.int64(64))
    assert started(service).threads == 64


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"split": "head"}, "spec.data.split"),
        ({"split": "unspecified"}, "spec.data.split"),
        ({"split_seed": -1}, "spec.data.split_seed"),
        ({"split_seed": 2**64}, "spec.data.split_seed"),
        ({"threads": 0}, "spec.threads"),
        ({"threads": -1}, "spec.threads"),
        ({"threads": 2**31}, "spec.threads"),
    ],
)
def test_what_cannot_be_told_is_refused_here(service, house, arguments, field):
    with pytest.raises(pilothouse.SpecInvalid) as caught:
        start(house, **arguments)
    assert caught.value.field == field
    assert not service.requests


@pytest.mark.parametrize(
    "arguments", [{"split": 1}, {"split_seed": 0.5}, {"split_seed": True}, {"threads": 2.0}, {"threads": "2"}]
)
def test_what_is_of_another_type_is_a_type_error(service, house, arguments):
    with pytest.raises(TypeError):
        start(house, **arguments)
    assert not service.requests


@pytest.mark.parametrize(
    ("parts", "kept", "missing"),
    [
        ({"test": 0.2}, {}, "kept for the end (test)"),
        ({"validation": "20%"}, {}, "held out (validation)"),
        ({"validation": 1, "test": 1}, {"validation_examples": 1}, "kept for the end (test)"),
        ({"validation": 0.5, "test": 1}, {"test_examples": 1}, "held out (validation)"),
        ({"validation": 0.5, "test": 0.2}, {}, "held out (validation) and kept for the end (test)"),
    ],
)
def test_an_older_service_that_leaves_out_a_part_is_noticed(service, house, parts, kept, missing):
    facts = run_pb2.RunFacts(examples=4, **kept)
    service.answers["StartRun"] = [pb.StartRunResponse(run=run_message(facts=facts))]
    with pytest.raises(pilothouse.ServiceOutdated) as caught:
        start(house, **parts)
    assert str(caught.value) == (
        f"The service has started run digits WITHOUT examples {missing}: it is older than this package. Stop the run "
        'with house.run("digits").stop(), and restart the service with the programs of this version.'
    )
    assert caught.value.metadata == {"run_id": "digits"}


def test_no_part_is_missed_that_was_not_asked_for_or_that_nothing_is_said_of(service, house):
    answers = [run_message(facts=run_pb2.RunFacts(examples=4)), run_message()]
    answers[1].ClearField("facts")
    service.answers["StartRun"] = [pb.StartRunResponse(run=run) for run in answers]
    assert start(house).run_id == "digits"
    assert start(house, validation=0.2, test=0.2).run_id == "digits"


def test_a_state_tells_how_many_examples_are_kept_for_the_end(service, run):
    facts = run_pb2.RunFacts(examples=4, validation_examples=2, test_examples=1)
    service.answers["GetState"] = [pb.GetStateResponse(run=run_message(facts=facts))]
    assert run.state().facts.test_examples == 1
