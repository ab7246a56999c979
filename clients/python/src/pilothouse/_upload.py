"""Bringing data to the service."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilothouse._arrays import ArrayData, Arrays, to_arrays
from pilothouse._connection import Connection
from pilothouse.errors import DataMalformed
from pilothouse.types import Dataset
from pilothouse.v1 import dataset_pb2

#: Largest chunk the service takes. Bytes.
CHUNK_BYTES = 1 << 20

#: What is told how far an upload is: the bytes sent, and those of the whole.
Progress = Callable[[int, int], object]

Part = tuple[Any, memoryview | bytes]  # a DatasetPart and some of its bytes

#: What files begin with, and text files are called; everything else is CSV. As the service has it for its own files.
_MAGIC = {b"\x93NUMPY": dataset_pb2.DATASET_FORMAT_NPY, b"PK\x03\x04": dataset_pb2.DATASET_FORMAT_NPZ}
_TSV_SUFFIXES = (".tsv", ".tab")


def upload(
    connection: Connection,
    data: ArrayData | Path,
    weights: ArrayLike | None,
    progress: Progress | None,
    timeout: float | None,
) -> Dataset:
    """Sends arrays, with their weights if they have any, or a local file.

    Raises:
        TypeError: `data` is neither, or has weights of its own as well; or a file is given with weights.
        OSError: the file cannot be read.
        ArrayShapeInvalid, ArrayDtypeInvalid, DataMalformed, DatasetTooLarge: the data is not fit for training.
        Whatever `progress` raises.
    """
    sending = _Sending(connection, progress, timeout)
    if isinstance(data, Path):
        check_takes_no_weights(weights)
        return _upload_file(sending, data)
    return _upload_arrays(sending, to_arrays(data, weights))


def check_takes_no_weights(weights: ArrayLike | None) -> None:
    """REQUIRES: the data are no arrays.

    Raises:
        TypeError: there are weights.
    """
    if weights is not None:
        raise TypeError("weights belong to arrays (X, y); of a table, weight_column names the column that holds them")


def _upload_arrays(sending: _Sending, arrays: Arrays) -> Dataset:
    parts = [
        (dataset_pb2.DATASET_PART_INPUTS, arrays.inputs),
        (dataset_pb2.DATASET_PART_TARGETS, arrays.targets),
        *([] if arrays.weights is None else [(dataset_pb2.DATASET_PART_WEIGHTS, arrays.weights)]),
    ]
    headers = [_npy_header(array) for _, array in parts]
    total = sum(len(header) + array.nbytes for header, (_, array) in zip(headers, parts, strict=True))

    def pieces() -> Iterator[Part]:
        for header, (part, array) in zip(headers, parts, strict=True):
            yield part, header
            flat = array.reshape(-1).view(np.uint8).data
            for begin in range(0, len(flat), CHUNK_BYTES):
                yield part, flat[begin : begin + CHUNK_BYTES]

    return sending.send(dataset_pb2.DATASET_FORMAT_ARRAYS, total, pieces)


def _upload_file(sending: _Sending, path: Path) -> Dataset:
    size = path.stat().st_size
    if size == 0:
        raise DataMalformed(f"{path} is empty.", field="data")

    def pieces() -> Iterator[Part]:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield dataset_pb2.DATASET_PART_TABLE, chunk

    return sending.send(_format_of(path), size, pieces)


def _format_of(path: Path) -> Any:
    with path.open("rb") as file:
        start = file.read(max(map(len, _MAGIC)))
    for magic, number in _MAGIC.items():
        if start.startswith(magic):
            return number
    is_tsv = path.suffix.lower() in _TSV_SUFFIXES
    return dataset_pb2.DATASET_FORMAT_TSV if is_tsv else dataset_pb2.DATASET_FORMAT_CSV


class _Sending:
    """An upload to a connection."""

    def __init__(self, connection: Connection, progress: Progress | None, timeout: float | None) -> None:
        self._connection = connection
        self._progress = progress
        self._timeout = timeout
        self._failure: BaseException | None = None

    def send(self, format_number: Any, total: int, pieces: Callable[[], Iterator[Part]]) -> Dataset:
        """Sends what `pieces` yields, `total` bytes, from its beginning whenever it has to be repeated."""
        header = dataset_pb2.DatasetHeader(format=format_number, total_bytes=total)
        # Harmless to repeat: the same content is stored once.
        answer = self._connection.call(lambda left: self._try(header, pieces, left), self._timeout)
        return Dataset(answer.dataset_id, answer.total_bytes, answer.existed)

    def _try(self, header: dataset_pb2.DatasetHeader, pieces: Callable[[], Iterator[Part]], left: float) -> Any:
        try:
            answer = self._connection.stub.UploadDataset(self._requests(header, pieces), timeout=left)
        except grpc.RpcError:
            # The service was sent less than it was told of, and the reason for that lies here.
            if self._failure is not None:
                raise self._failure from None
            raise
        if self._failure is not None:
            raise self._failure
        return answer

    def _requests(
        self, header: dataset_pb2.DatasetHeader, pieces: Callable[[], Iterator[Part]]
    ) -> Iterator[dataset_pb2.UploadDatasetRequest]:
        """In a thread of gRPC's, which would tell nobody what is raised in it."""
        try:
            sent = 0
            yield dataset_pb2.UploadDatasetRequest(header=header)
            for part, data in pieces():
                yield dataset_pb2.UploadDatasetRequest(chunk=dataset_pb2.DatasetChunk(part=part, data=bytes(data)))
                sent += len(data)
                if self._progress is not None:
                    self._progress(sent, header.total_bytes)
        except GeneratorExit:
            raise
        except BaseException as error:
            self._failure = error


def _npy_header(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, np.lib.format.header_data_from_array_1_0(array))
    return buffer.getvalue()
