"""Which examples are given, and how they are weighted, as the scripted service is told."""

from __future__ import annotations

import io
import math
import threading
from pathlib import Path

import grpc
import numpy as np
import pytest
from data_testing import W, X, Y, start, started
from fake_service import Refusal, unavailable

import pilothouse
from pilothouse.v1 import dataset_pb2

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
