"""What a real service refuses, and how it says so. Needs $PILOTHOUSE_BIN, the folder with the built programs."""

from __future__ import annotations

import io
import math

import grpc
import numpy as np
import pytest
from service_testing import PATIENCE, XOR_INPUTS, XOR_STATE, XOR_TARGETS, start_xor

import pilothouse
from pilothouse.v1 import dataset_pb2
from pilothouse.v1 import training_control_pb2_grpc as pb_grpc

#: Types of elements that are no real numbers.
NOT_REAL = [object, complex, str, bytes]

BAD_STARTS = [
    ({"net": "2x2qx1"}, pilothouse.NetInvalid),
    ({"net": ""}, pilothouse.NetInvalid),
    ({"net": "3x2tx1t", "initial_state": None}, pilothouse.NetDataMismatch),
    ({"initial_state": np.arange(8)}, pilothouse.PilothouseError),
    ({"eta": 0}, pilothouse.EtaInvalid),
    ({"eta": -1}, pilothouse.EtaInvalid),
    ({"eta": math.nan}, pilothouse.EtaInvalid),
    ({"eta": math.inf}, pilothouse.EtaInvalid),
    ({"batch_to": -1}, pilothouse.TargetInvalid),
    ({"run_id": "Not An Id"}, pilothouse.RunIdInvalid),
    ({"batch_size": 0}, pilothouse.SpecInvalid),
    ({"batch_size": 5}, pilothouse.SpecInvalid),
    ({"data": "missing.csv"}, pilothouse.FileNotFound),
    ({"data": "../secret.csv"}, pilothouse.FileNameInvalid),
    ({"data": pilothouse.Dataset("0" * 64, 0, False)}, pilothouse.DatasetNotFound),
    *(({"data": (XOR_INPUTS.astype(kind), XOR_TARGETS)}, pilothouse.ArrayDtypeInvalid) for kind in NOT_REAL),
    *(({"data": (XOR_INPUTS, XOR_TARGETS.astype(kind))}, pilothouse.ArrayDtypeInvalid) for kind in NOT_REAL),
    ({"initial_state": XOR_STATE.astype(complex)}, pilothouse.ArrayDtypeInvalid),
    ({"data": (XOR_INPUTS, XOR_TARGETS[:3])}, pilothouse.ArrayShapeInvalid),
    ({"data": (XOR_INPUTS * np.nan, XOR_TARGETS)}, pilothouse.DataMalformed),
    (
        {"net": "2x2", "loss": "cross_entropy", "initial_state": None, "data": (XOR_INPUTS, [0, 1, 2, 0])},
        pilothouse.LabelOutOfRange,
    ),
    (
        {"net": "2x2t", "loss": "cross_entropy", "initial_state": None, "data": (XOR_INPUTS, [0, 1, 1, 0])},
        pilothouse.NetLossMismatch,
    ),
]


@pytest.mark.parametrize(("arguments", "error"), BAD_STARTS)
def test_a_bad_description_is_refused_with_its_reason_and_leaves_no_run(real_house, arguments, error):
    before = [state.run_id for state in real_house.runs()]
    with pytest.raises(error) as caught:
        start_xor(real_house, **arguments)
    assert caught.value.reason
    assert caught.value.field
    assert [state.run_id for state in real_house.runs()] == before


def test_a_malformed_net_is_told_by_its_character(real_house):
    with pytest.raises(pilothouse.NetInvalid) as caught:
        start_xor(real_house, net="2x2qx1")
    assert caught.value.metadata["position"] == "4"


BAD_TABLES = [
    ("a,b,y\n1,2,3\n1,2\n", {"line": "3"}),
    ("a,b,y\n1,2,3\n1,two,3\n", {"line": "3", "column": "2"}),
    ("a,b,y\n1,nan,3\n", {"line": "2", "column": "2"}),
    ("a,b,y\n", {}),
    ("", {}),
]


@pytest.mark.parametrize(("text", "where"), BAD_TABLES)
def test_a_bad_table_is_refused_with_line_and_column(real_house, tmp_path, text, where):
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(pilothouse.DataMalformed) as caught:
        start_xor(real_house, data=file)
    assert caught.value.metadata.items() >= where.items()


def npy(array: np.ndarray) -> bytes:
    """The array as a file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def upload_by_hand(house: pilothouse.House, inputs: bytes, targets: bytes) -> pilothouse.Dataset:
    """Sends bytes that House.upload would never send. The service keeps them; who reads them is the trainer."""
    parts = [(dataset_pb2.DATASET_PART_INPUTS, inputs), (dataset_pb2.DATASET_PART_TARGETS, targets)]
    with grpc.insecure_channel(house.address) as channel:
        answer = pb_grpc.TrainingControlStub(channel).UploadDataset(
            iter(
                [
                    dataset_pb2.UploadDatasetRequest(
                        header=dataset_pb2.DatasetHeader(format=dataset_pb2.DATASET_FORMAT_ARRAYS)
                    ),
                    *(
                        dataset_pb2.UploadDatasetRequest(chunk=dataset_pb2.DatasetChunk(part=part, data=data))
                        for part, data in parts
                    ),
                ]
            ),
            timeout=PATIENCE,
        )
    return pilothouse.Dataset(answer.dataset_id, answer.total_bytes, answer.existed)


BAD_FILES = {
    "float16": (npy(XOR_INPUTS.astype(np.float16)), pilothouse.ArrayDtypeInvalid),
    "complex": (npy(XOR_INPUTS.astype(complex)), pilothouse.ArrayDtypeInvalid),
    "bytes": (npy(XOR_INPUTS.astype("S8")), pilothouse.ArrayDtypeInvalid),
    "last byte missing": (npy(XOR_INPUTS)[:-1], pilothouse.DataMalformed),
    "half a header": (npy(XOR_INPUTS)[:20], pilothouse.DataMalformed),
    "no array": (b"1,2\n3,4\n", pilothouse.DataMalformed),
}


@pytest.mark.parametrize(("inputs", "error"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_an_array_file_that_numpy_would_not_send_is_refused_with_its_reason(real_house, inputs, error):
    dataset = upload_by_hand(real_house, inputs, npy(XOR_TARGETS))
    with pytest.raises(error) as caught:
        start_xor(real_house, data=dataset)
    assert caught.value.field.startswith("spec.data")


def test_a_column_that_does_not_exist_is_refused(real_house, tmp_path):
    file = tmp_path / "table.csv"
    file.write_text("a,b,y\n1,2,3\n")
    with pytest.raises(pilothouse.ColumnNotFound) as caught:
        start_xor(real_house, data=file, target_columns=["z"])
    assert caught.value.metadata["column"] == "z"


@pytest.mark.parametrize(
    ("control", "error"),
    [
        (lambda run: run.set_eta(0), pilothouse.EtaInvalid),
        (lambda run: run.set_eta(-1), pilothouse.EtaInvalid),
        (lambda run: run.set_eta(math.nan), pilothouse.EtaInvalid),
        (lambda run: run.set_eta(math.inf), pilothouse.EtaInvalid),
        (lambda run: run.batch_to(-1), pilothouse.TargetInvalid),
        (lambda run: run.batch_to(2**53 + 1), pilothouse.TargetInvalid),
        (lambda run: run.train(0), pilothouse.TargetInvalid),
        (lambda run: run.set("momentum", 0.9), pilothouse.KnobUnknown),
        (lambda run: run.set("loss_interval", -1), pilothouse.KnobOutOfRange),
        (lambda run: run.pause(request_id="x" * 129), pilothouse.RequestIdInvalid),
        (lambda run: run.predict(np.zeros((3, 5))), pilothouse.ArrayShapeInvalid),
        (lambda run: next(run.watch(max_interval=0.001)), pilothouse.IntervalInvalid),
    ],
)
def test_a_bad_control_is_refused_and_the_run_untouched(xor, control, error):
    before = xor.state()
    with pytest.raises(error) as caught:
        control(xor)
    assert caught.value.field
    after = xor.state()
    assert (after.eta, after.target, after.last_sequence) == (before.eta, before.target, before.last_sequence)


def test_an_unknown_run_is_not_found(real_house):
    for run_id in ("nobody", "No Body", ""):
        with pytest.raises(pilothouse.RunNotFound):
            real_house.run(run_id)
