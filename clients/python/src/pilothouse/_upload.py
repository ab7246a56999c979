"""Bringing data to the service."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilothouse._connection import Connection
from pilothouse._convert import as_floats
from pilothouse.errors import ArrayShapeInvalid, DataMalformed
from pilothouse.types import Dataset
from pilothouse.v1 import dataset_pb2

#: Largest chunk the service takes. Bytes.
CHUNK_BYTES = 1 << 20

Part = tuple[Any, memoryview | bytes]  # a DatasetPart and some of its bytes


def upload(connection: Connection, data: tuple[ArrayLike, ArrayLike] | Path, timeout: float | None) -> Dataset:
    """Sends arrays (inputs, targets) or a local CSV file.

    Raises:
        TypeError: `data` is neither.
        OSError: the file cannot be read.
        ArrayShapeInvalid, ArrayDtypeInvalid, DataMalformed, DatasetTooLarge: the data is not fit for training.
    """
    if isinstance(data, Path):
        return _upload_file(connection, data, timeout)
    if not isinstance(data, tuple) or len(data) != 2:
        raise TypeError(
            "data is a pair (X, y), a pathlib.Path of a local CSV file, a str that names a file of the "
            f"service, or a Dataset; not {type(data).__name__}"
        )
    inputs, targets = check_arrays(*data)
    parts = [(dataset_pb2.DATASET_PART_INPUTS, inputs), (dataset_pb2.DATASET_PART_TARGETS, targets)]
    headers = [_npy_header(array) for _, array in parts]
    total = sum(len(header) + array.nbytes for header, (_, array) in zip(headers, parts, strict=True))

    def pieces() -> Iterator[Part]:
        for header, (part, array) in zip(headers, parts, strict=True):
            yield part, header
            flat = array.reshape(-1).view(np.uint8).data
            for begin in range(0, len(flat), CHUNK_BYTES):
                yield part, flat[begin : begin + CHUNK_BYTES]

    header = dataset_pb2.DatasetHeader(format=dataset_pb2.DATASET_FORMAT_ARRAYS, total_bytes=total)
    return _send(connection, header, pieces, timeout)


def _upload_file(connection: Connection, path: Path, timeout: float | None) -> Dataset:
    if path.suffix.lower() == ".npy":
        raise ValueError(f"{path} is an array, not a CSV file: load it with numpy and give data=(X, y)")

    size = path.stat().st_size
    if size == 0:
        raise DataMalformed(f"{path} is empty.", field="data")

    def pieces() -> Iterator[Part]:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield dataset_pb2.DATASET_PART_TABLE, chunk

    header = dataset_pb2.DatasetHeader(format=dataset_pb2.DATASET_FORMAT_CSV, total_bytes=size)
    return _send(connection, header, pieces, timeout)


def _send(connection: Connection, header: dataset_pb2.DatasetHeader, pieces: Any, timeout: float | None) -> Dataset:
    def requests() -> Iterator[dataset_pb2.UploadDatasetRequest]:
        yield dataset_pb2.UploadDatasetRequest(header=header)
        for part, data in pieces():
            yield dataset_pb2.UploadDatasetRequest(chunk=dataset_pb2.DatasetChunk(part=part, data=bytes(data)))

    # Harmless to repeat: the same content is stored once.
    answer = connection.call(lambda left: connection.stub.UploadDataset(requests(), timeout=left), timeout)
    return Dataset(answer.dataset_id, answer.total_bytes, answer.existed)


def check_arrays(inputs: ArrayLike, targets: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """The arrays as they are sent, once everything that can be known here has been checked here.

    Raises:
        ArrayDtypeInvalid: the elements are not real numbers.
        ArrayShapeInvalid: inputs are not 2-D, targets not 1-D or 2-D, or there are not as many of one as of the other.
        DataMalformed: there are no examples, or an element is NaN or infinite.
    """
    x, y = as_floats(inputs, field="data.inputs"), as_floats(targets, field="data.targets")
    if x.ndim != 2:
        raise _wrong_shape("data.inputs", "Inputs are 2-D, one row for each example", "(examples, inputs)", x)
    if y.ndim not in (1, 2):
        raise _wrong_shape("data.targets", "Targets are 1-D or 2-D", "(examples,) or (examples, outputs)", y)
    if x.shape[0] != y.shape[0]:
        sentence = f"There are {x.shape[0]} rows of inputs, so there must be as many targets"
        raise _wrong_shape("data.targets", sentence, f"{x.shape[0]} rows", y)
    for field, array in (("data.inputs", x), ("data.targets", y)):
        if array.size == 0:
            raise DataMalformed(f"{field} holds no numbers: its shape is {array.shape}.", field=field)
        _check_finite(field, array)
    return x, y


def _wrong_shape(field: str, sentence: str, expected: str, array: NDArray[Any]) -> ArrayShapeInvalid:
    return ArrayShapeInvalid(
        f"{sentence}; {field} has the shape {array.shape}.",
        field=field,
        metadata={"expected": expected, "got": str(array.shape)},
    )


def _check_finite(field: str, array: NDArray[Any]) -> None:
    finite = np.isfinite(array)
    if finite.all():
        return
    where = np.argwhere(~finite)[0]
    row, column = int(where[0]), int(where[1]) if len(where) > 1 else 0
    raise DataMalformed(
        f"{field} must hold finite numbers; row {row}, column {column} (counted from 0) holds {array[tuple(where)]}.",
        field=field,
        # As in the service's errors, lines and columns of metadata count from 1.
        metadata={"line": str(row + 1), "column": str(column + 1)},
    )


def _npy_header(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, np.lib.format.header_data_from_array_1_0(array))
    return buffer.getvalue()
