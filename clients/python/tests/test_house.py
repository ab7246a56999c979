from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from fake_service import run_message, unavailable

import pilothouse
from pilothouse.v1 import dataset_pb2, run_pb2
from pilothouse.v1 import training_control_pb2 as pb

X = np.arange(8, dtype=np.float64).reshape(4, 2)
Y = np.array([0, 1, 0, 1])


def start(house: pilothouse.House, **arguments):
    return house.start(**{"net": "2x2tx1t", "data": "xor.csv", "loss": "half_mse"} | arguments)


def test_a_run_is_started_as_described(service, house):
    run = start(
        house,
        eta=0.5,
        batch_size=8,
        target_columns=["y", -1],
        standardize=True,
        precision="float64",
        seed=2**64 - 1,
        initializer="normal",
        initial_state=np.arange(9),
        keep_order=True,
        loss_interval=0.25,
        loss_every=10,
        state_every=20,
        batch_to=0,
        run_id="xor",
    )
    assert run.run_id == "xor"
    (request,) = service.requests["StartRun"]
    spec = request.spec
    assert request.HasField("target")
    assert request.request_id
    assert spec.network.shorthand == "2x2tx1t"
    assert spec.network.initializer == run_pb2.INITIALIZER_NORMAL
    assert list(spec.network.initial_state.shape) == [9]
    assert (spec.data.file, list(spec.data.target_columns), spec.data.standardize) == ("xor.csv", ["y", "-1"], True)
    assert spec.loss == run_pb2.LOSS_FUNCTION_HALF_MSE
    assert (spec.eta, spec.batch_size, spec.full_batch, spec.keep_order) == (0.5, 8, False, True)
    assert spec.precision == run_pb2.PRECISION_FLOAT64
    assert spec.seed == 2**64 - 1
    assert spec.report.loss_interval.ToMilliseconds() == 250
    assert (spec.report.loss_every, spec.report.state_every) == (10, 20)


def test_what_is_not_said_is_left_to_the_service(service, house):
    start(house)
    (request,) = service.requests["StartRun"]
    assert not request.HasField("target")
    assert not request.spec.HasField("eta")
    assert not request.spec.HasField("batch_size")
    assert not request.spec.report.HasField("loss_interval")
    assert not request.spec.network.HasField("initial_state")


def test_full_batches_are_asked_for_by_name(service, house):
    start(house, batch_size="full", loss="half-mse")
    assert service.requests["StartRun"][0].spec.full_batch


def test_layers_say_what_the_shorthand_cannot(service, house):
    layers = [
        pilothouse.Affine(2, 3),
        pilothouse.LayerNorm(3),
        pilothouse.Map("leaky_relu"),
        pilothouse.Identity(),
        pilothouse.BatchNorm(3),
        pilothouse.Dropout(0.25),
        pilothouse.Affine(3, 1),
    ]
    start(house, net=layers)
    sent = service.requests["StartRun"][0].spec.network.layers.layers
    assert [layer.WhichOneof("kind") for layer in sent] == [
        "affine",
        "layer_norm",
        "map",
        "identity",
        "batch_norm",
        "dropout",
        "affine",
    ]
    assert sent[1].layer_norm.features == 3
    assert sent[2].map.activation == run_pb2.ACTIVATION_LEAKY_RELU
    assert sent[4].batch_norm.features == 3
    assert sent[5].dropout.rate == 0.25


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("tanh", run_pb2.ACTIVATION_TANH),
        ("leaky-relu", run_pb2.ACTIVATION_LEAKY_RELU),
        ("silu", run_pb2.ACTIVATION_SILU),
        ("softplus", run_pb2.ACTIVATION_SOFTPLUS),
    ],
)
def test_activations_are_called_by_name(service, house, name, number):
    start(house, net=[pilothouse.Affine(2, 1), pilothouse.Map(name)])
    assert service.requests["StartRun"][0].spec.network.layers.layers[1].map.activation == number


def test_huber_and_the_initializers_are_called_by_name(service, house):
    for name in ("scaled", "normal", "glorot", "he", "zeros"):
        start(house, loss="huber", initializer=name)
    requests = service.requests["StartRun"]
    assert {request.spec.loss for request in requests} == {run_pb2.LOSS_FUNCTION_HUBER}
    sent = [request.spec.network.initializer for request in requests]
    assert sent == [
        run_pb2.INITIALIZER_SCALED,
        run_pb2.INITIALIZER_NORMAL,
        run_pb2.INITIALIZER_GLOROT,
        run_pb2.INITIALIZER_HE,
        run_pb2.INITIALIZER_ZEROS,
    ]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"loss": "crossentropy"}, "spec.loss"),
        ({"loss": "unspecified"}, "spec.loss"),
        ({"precision": "float16"}, "spec.precision"),
        ({"initializer": "ones"}, "spec.network.initializer"),
        ({"net": [pilothouse.Map("swish")]}, "spec.network.layers"),
        ({"batch_size": "half"}, "spec.batch_size"),
        ({"seed": -1}, "spec.seed"),
    ],
)
def test_a_name_that_does_not_exist_is_refused_here(service, house, arguments, field):
    with pytest.raises(pilothouse.SpecInvalid) as caught:
        start(house, **arguments)
    assert caught.value.field == field
    assert "StartRun" not in service.requests


@pytest.mark.parametrize(
    "arguments",
    [
        {"net": 5},
        {"net": [5]},
        {"data": X},
        {"data": (X, Y, Y, Y)},
        {"data": (X,)},
        {"data": [X, Y]},
        {"batch_size": 2.5},
        {"batch_size": True},
        {"loss": 5},
        {"seed": True},
        {"batch_to": True},
        {"eta": True},
    ],
)
def test_an_argument_of_the_wrong_type_is_a_type_error(service, house, arguments):
    with pytest.raises(TypeError):
        start(house, **arguments)
    assert "StartRun" not in service.requests


def test_starting_is_repeated_with_the_same_request_id_while_the_service_is_unavailable(service, house):
    service.answers["StartRun"] = [unavailable()]
    start(house)
    first, second = service.requests["StartRun"]
    assert first == second


def test_an_empty_table_is_refused_before_anything_is_sent(service, house, tmp_path):
    (tmp_path / "empty.csv").touch()
    with pytest.raises(pilothouse.DataMalformed, match=r"empty\.csv is empty\."):
        start(house, data=tmp_path / "empty.csv")
    assert not service.requests


def test_arrays_arrive_as_npy_files_in_chunks(service, house):
    inputs = np.asfortranarray(np.arange(600_000, dtype=np.float64).reshape(-1, 3))  # 4.8 MB, and not in C order
    dataset = house.upload((inputs, np.arange(200_000)))
    header, *chunks = service.requests["UploadDataset"][0]
    assert header.header.format == dataset_pb2.DATASET_FORMAT_ARRAYS
    parts = dict.fromkeys((dataset_pb2.DATASET_PART_INPUTS, dataset_pb2.DATASET_PART_TARGETS), b"")
    for message in chunks:
        assert len(message.chunk.data) <= 1 << 20
        parts[message.chunk.part] += message.chunk.data
    assert header.header.total_bytes == sum(map(len, parts.values())) == dataset.total_bytes
    assert [chunk.chunk.part for chunk in chunks] == sorted(chunk.chunk.part for chunk in chunks)
    np.testing.assert_array_equal(np.load(io.BytesIO(parts[dataset_pb2.DATASET_PART_INPUTS])), inputs)
    np.testing.assert_array_equal(np.load(io.BytesIO(parts[dataset_pb2.DATASET_PART_TARGETS])), np.arange(200_000))


@pytest.mark.parametrize(
    ("dtype", "sent"),
    [
        ("float32", "<f4"),
        (">f4", "<f4"),
        ("float64", "<f8"),
        ("uint8", "<f4"),
        ("bool", "<f4"),
        ("float16", "<f4"),
        ("int64", "<f8"),
    ],
)
def test_numbers_of_every_type_are_sent_as_floats_that_hold_them(service, house, dtype, sent):
    house.upload((np.ones((4, 2), dtype=dtype), Y))
    inputs = service.requests["UploadDataset"][0][1].chunk.data
    assert np.lib.format.read_array_header_1_0(_after_magic(inputs))[2] == np.dtype(sent)


def _after_magic(npy: bytes) -> io.BytesIO:
    stream = io.BytesIO(npy)
    assert np.lib.format.read_magic(stream) == (1, 0)
    return stream


def test_an_upload_is_repeated_while_the_service_is_unavailable(service, house):
    service.answers["UploadDataset"] = [unavailable()]
    house.upload((X, Y))
    first, second = service.requests["UploadDataset"]
    assert first == second


@pytest.mark.parametrize(
    ("inputs", "targets", "error", "field"),
    [
        (np.array([["a", "b"]] * 4), Y, pilothouse.ArrayDtypeInvalid, "data.inputs"),
        (np.array([[object(), None]] * 4), Y, pilothouse.ArrayDtypeInvalid, "data.inputs"),
        (X + 1j, Y, pilothouse.ArrayDtypeInvalid, "data.inputs"),
        ([[1, 2], [3]], [0, 1], pilothouse.ArrayShapeInvalid, "data.inputs"),
        (np.zeros(4), Y, pilothouse.ArrayShapeInvalid, "data.inputs"),
        (np.zeros((4, 2, 2)), Y, pilothouse.ArrayShapeInvalid, "data.inputs"),
        (X, np.zeros((4, 1, 1)), pilothouse.ArrayShapeInvalid, "data.targets"),
        (X, Y[:3], pilothouse.ArrayShapeInvalid, "data.targets"),
        (np.zeros((0, 2)), np.zeros(0), pilothouse.DataMalformed, "data.inputs"),
        (np.array([[0, 1], [np.nan, 1], [0, 0], [0, 0]]), Y, pilothouse.DataMalformed, "data.inputs"),
        (X, np.array([0, 1, np.inf, 0]), pilothouse.DataMalformed, "data.targets"),
    ],
)
def test_arrays_unfit_for_training_are_refused_before_they_are_sent(service, house, inputs, targets, error, field):
    with pytest.raises(error) as caught:
        start(house, data=(inputs, targets))
    assert caught.value.field == field
    assert not service.requests


def test_a_bad_number_is_located(house):
    with pytest.raises(pilothouse.DataMalformed) as caught:
        house.upload((np.array([[0, 1], [0, np.nan]]), [0, 1]))
    assert caught.value.metadata == {"line": "2", "column": "2"}


def test_a_path_is_uploaded_and_a_text_names_a_file_of_the_service(service, house, tmp_path: Path):
    file = tmp_path / "xor.csv"
    file.write_text("a,b,y\n0,0,0\n")
    start(house, data=file)
    start(house, data="xor.csv")
    assert b"".join(message.chunk.data for message in service.requests["UploadDataset"][0]) == file.read_bytes()
    first, second = (request.spec.data for request in service.requests["StartRun"])
    assert (first.dataset_id, second.file) == ("d-1", "xor.csv")
    with pytest.raises(FileNotFoundError):
        start(house, data=tmp_path / "missing.csv")


def test_one_upload_serves_many_runs(service, house):
    dataset = house.upload((X, Y))
    start(house, data=dataset)
    start(house, data=dataset)
    assert len(service.requests["UploadDataset"]) == 1
    assert {request.spec.data.dataset_id for request in service.requests["StartRun"]} == {"d-1"}


def test_all_pages_of_runs_are_listed(service, house):
    service.answers["ListRuns"] = [
        pb.ListRunsResponse(runs=[run_message(run_id="c"), run_message(run_id="b")], next_page_token="2"),
        pb.ListRunsResponse(runs=[run_message(run_id="a")]),
    ]
    assert [state.run_id for state in house.runs()] == ["c", "b", "a"]
    assert [request.page_token for request in service.requests["ListRuns"]][1] == "2"


@pytest.mark.parametrize("interval", [float("nan"), float("inf"), -1e9, 1e9])
def test_an_interval_that_cannot_travel_is_refused_here(house, run, interval):
    with pytest.raises(pilothouse.IntervalInvalid):
        start(house, loss_interval=interval)
    with pytest.raises(pilothouse.IntervalInvalid):
        run.watch(min_interval=interval)
