"""Which examples are given, how they are weighted, and which are held out, as the scripted service is told."""

from __future__ import annotations

import io
import math
import threading
from pathlib import Path

import grpc
import numpy as np
import pytest
from fake_service import Refusal, run_message, unavailable

import pilothouse
from pilothouse.v1 import dataset_pb2, run_pb2
from pilothouse.v1 import training_control_pb2 as pb

X = np.arange(8, dtype=np.float64).reshape(4, 2)
Y = np.array([0, 1, 0, 1])
W = np.array([1.0, 0.0, 2.0, 0.5])


def start(house: pilothouse.House, **arguments) -> pilothouse.Run:
    return house.start(**{"net": "2x2tx1t", "data": "xor.csv", "loss": "half_mse"} | arguments)


def started(service) -> run_pb2.RunSpec:
    return service.requests["StartRun"][-1].spec


# Parts


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


# Arrays


def uploaded(service) -> tuple[dataset_pb2.DatasetHeader, dict[int, bytes]]:
    """The header of the newest upload, and the bytes of each of its parts."""
    header, *chunks = service.requests["UploadDataset"][-1]
    parts: dict[int, bytes] = {}
    for message in chunks:
        parts[message.chunk.part] = parts.get(message.chunk.part, b"") + message.chunk.data
    assert list(parts) == sorted(parts)
    assert header.header.total_bytes == sum(map(len, parts.values()))
    return header.header, parts


def array(content: bytes) -> np.ndarray:
    return np.load(io.BytesIO(content))


@pytest.mark.parametrize(
    "given",
    [
        {"data": (X, Y), "weights": W},
        {"data": (X, Y), "weights": list(W)},
        {"data": (X, Y), "weights": W.reshape(4, 1)},
        {"data": (X, Y, W)},
        {"data": {"inputs": X, "targets": Y, "weights": W}},
        {"data": {"x": X, "y": Y}, "weights": W},
        {"data": {"X": X, "y": Y, "weights": W, "names": ["a", "b"]}},
    ],
)
def test_weights_are_a_part_of_their_own(service, house, given):
    start(house, **given)
    header, parts = uploaded(service)
    assert header.format == dataset_pb2.DATASET_FORMAT_ARRAYS
    assert list(parts) == [
        dataset_pb2.DATASET_PART_INPUTS,
        dataset_pb2.DATASET_PART_TARGETS,
        dataset_pb2.DATASET_PART_WEIGHTS,
    ]
    for part, sent in zip(parts.values(), (X, Y, W), strict=True):
        np.testing.assert_array_equal(array(part), sent)
    assert started(service).data.dataset_id == "d-1"


@pytest.mark.parametrize("data", [(X, Y), (X, Y, None), {"inputs": X, "targets": Y}])
def test_without_weights_there_is_no_such_part(service, house, data):
    house.upload(data)
    assert list(uploaded(service)[1]) == [dataset_pb2.DATASET_PART_INPUTS, dataset_pb2.DATASET_PART_TARGETS]


def test_what_numpy_loads_of_an_npz_file_is_data(service, house, tmp_path):
    np.savez(tmp_path / "data.npz", x=X, y=Y, weights=W)
    with np.load(tmp_path / "data.npz") as loaded:
        house.upload(loaded)
    np.testing.assert_array_equal(array(uploaded(service)[1][dataset_pb2.DATASET_PART_WEIGHTS]), W)


@pytest.mark.parametrize(
    ("weights", "error"),
    [
        (W[:3], pilothouse.ArrayShapeInvalid),
        (2.0, pilothouse.ArrayShapeInvalid),
        (W.reshape(2, 2), pilothouse.ArrayShapeInvalid),
        (W.reshape(1, 4), pilothouse.ArrayShapeInvalid),
        ([[1], [2, 3]], pilothouse.ArrayShapeInvalid),
        (["a"] * 4, pilothouse.ArrayDtypeInvalid),
        ([1, 1, math.nan, 1], pilothouse.DataMalformed),
        ([1, 1, math.inf, 1], pilothouse.DataMalformed),
        ([1, 1, -0.5, 1], pilothouse.DataMalformed),
    ],
)
def test_weights_that_are_none_are_refused_before_anything_is_sent(service, house, weights, error):
    with pytest.raises(error) as caught:
        start(house, data=(X, Y), weights=weights)
    assert caught.value.field == "data.weights"
    if error is pilothouse.DataMalformed:
        assert caught.value.metadata == {"line": "3", "column": "1"}
    assert not service.requests


@pytest.mark.parametrize(
    "data",
    [{}, {"inputs": X}, {"targets": Y}, {"inputs": X, "y": Y, "targets": Y}, {"x": X, "X": X, "y": Y}],
)
def test_a_mapping_names_one_array_of_each(service, house, data):
    with pytest.raises(pilothouse.DataMalformed, match="there are: ") as caught:
        house.upload(data)
    assert caught.value.metadata["arrays"] == (", ".join(data) or "nothing")
    assert not service.requests


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("weight", "weights"),
        ("Weights", "weights"),
        ("sample_weight", "weights"),
        ("SAMPLE_WEIGHTS", "weights"),
        ("input", "inputs"),
        ("Inputs", "inputs"),
        ("target", "targets"),
        ("TARGETS", "targets"),
        ("label", "targets"),
        ("Labels", "targets"),
        ("Y", "targets"),
    ],
)
def test_an_array_whose_name_is_nearly_right_is_refused_as_in_a_file(service, house, name, meant):
    for data in ({"x": X, "y": Y, name: W}, {name: X}):
        with pytest.raises(pilothouse.DataMalformed) as caught:
            house.upload(data)
        assert str(caught.value) == (
            f"The data have an array named {name}, which would not be read. If it is the {meant}, name it {meant}; "
            "else give it a name that does not look like that."
        )
        assert caught.value.field == "data"
        assert caught.value.metadata == {"array": name, "expected": meant}
    assert not service.requests


def test_arrays_of_other_names_are_passed_over(service, house):
    house.upload({"X": X, "y": Y, "weighting": W, "label names": ["a", "b"], "targets_test": Y, 1: W})
    assert list(uploaded(service)[1]) == [dataset_pb2.DATASET_PART_INPUTS, dataset_pb2.DATASET_PART_TARGETS]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ((X, Y, W), "twice"),
        ({"x": X, "y": Y, "weights": W}, "twice"),
        ("xor.csv", "weight_column"),
        (Path("xor.csv"), "weight_column"),
        (pilothouse.Dataset("d-1", 1, True), "weight_column"),
    ],
)
def test_weights_beside_what_may_have_its_own_are_a_type_error(service, house, data, match):
    with pytest.raises(TypeError, match=match):
        start(house, data=data, weights=W)
    assert not service.requests


# Files


def table(service) -> tuple[int, bytes]:
    """The format and the content of the newest upload."""
    header, parts = uploaded(service)
    assert list(parts) == [dataset_pb2.DATASET_PART_TABLE]
    return header.format, parts[dataset_pb2.DATASET_PART_TABLE]


@pytest.mark.parametrize(
    ("name", "form"), [("t.csv", "CSV"), ("t.txt", "CSV"), ("t", "CSV"), ("t.tsv", "TSV"), ("t.TAB", "TSV")]
)
def test_a_text_is_uploaded_as_its_name_says(service, house, tmp_path, name, form):
    (tmp_path / name).write_text("1\t2\n")
    house.upload(tmp_path / name)
    assert table(service) == (dataset_pb2.DatasetFormat.Value(f"DATASET_FORMAT_{form}"), b"1\t2\n")


@pytest.mark.parametrize("name", ["{}", "t.{}", "t.csv", "t.tsv"])
def test_arrays_in_a_file_are_uploaded_as_such_whatever_it_is_called(service, house, tmp_path, name):
    npy, npz = tmp_path / name.format("npy"), tmp_path / f"z{name.format('npz')}"
    with npy.open("wb") as file:
        np.save(file, X)
    with npz.open("wb") as file:
        np.savez_compressed(file, inputs=X, targets=Y)
    for path, form in ((npy, dataset_pb2.DATASET_FORMAT_NPY), (npz, dataset_pb2.DATASET_FORMAT_NPZ)):
        house.upload(path)
        assert table(service) == (form, path.read_bytes())


# Progress


def test_progress_is_told_with_every_chunk_up_to_the_whole(service, house, tmp_path):
    told: list[tuple[int, int]] = []
    dataset = house.upload((np.zeros((400_000, 1)), np.zeros(400_000)), progress=lambda *both: told.append(both))
    assert told[-1] == (dataset.total_bytes, dataset.total_bytes)
    assert [total for _, total in told] == [dataset.total_bytes] * len(told)
    steps = np.diff([sent for sent, _ in told], prepend=0)
    assert len(told) > 6
    assert 0 < steps.min() <= steps.max() <= 1 << 20
    (tmp_path / "t.csv").write_text("1,2\n")
    start(house, data=tmp_path / "t.csv", progress=lambda *both: told.append(both))
    assert told[-1] == (4, 4)


def test_progress_begins_anew_where_an_upload_is_repeated(service, house):
    service.answers["UploadDataset"] = [unavailable()]
    told: list[int] = []
    house.upload((X, Y), progress=lambda sent, total: told.append(sent))
    half = len(told) // 2
    assert told[:half] == told[half:] == sorted(told[half:])


class Enough(Exception):
    pass


def test_what_progress_raises_ends_the_upload_and_is_raised(service, house):
    threads = []

    def progress(sent: int, total: int) -> None:
        threads.append(threading.current_thread())
        if len(threads) == 2:
            raise Enough

    with pytest.raises(Enough):
        house.upload((X, Y), progress=progress)
    assert len(threads) == 2
    assert threading.current_thread() not in threads
    # What came is less than what was promised, which the service refuses; it is not sent again.
    (messages,) = service.requests["UploadDataset"]
    assert sum(len(message.chunk.data) for message in messages) < messages[0].header.total_bytes


def test_what_progress_raises_is_raised_also_where_the_service_refuses_what_came(service, house):
    service.answers["UploadDataset"] = [Refusal(grpc.StatusCode.INVALID_ARGUMENT, "DATA_MALFORMED")]

    def progress(sent: int, total: int) -> None:
        raise Enough

    with pytest.raises(Enough):
        house.upload((X, Y), progress=progress)


def test_a_file_that_cannot_be_read_to_its_end_is_an_os_error(service, house, tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("1,2\n")
    whole = Path.open
    opened = []

    def once(self, *arguments):
        opened.append(self)
        if len(opened) > 1:
            raise PermissionError("gone")
        return whole(self, *arguments)

    monkeypatch.setattr(Path, "open", once)
    with pytest.raises(PermissionError, match="gone"):
        house.upload(path)
