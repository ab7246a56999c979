"""Histories as files."""

from __future__ import annotations

import csv
import enum
import json
import math
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from pilothouse._event_json import event_json, json_number, numbers
from pilothouse._rows import Row, to_row
from pilothouse._tensorboard import write_tensorboard
from pilothouse.errors import SpecInvalid
from pilothouse.events import EventKind
from pilothouse.history import History
from pilothouse.v1 import event_pb2


class ExportFormat(enum.StrEnum):
    """What Run.export() writes."""

    CSV = "csv"
    JSONL = "jsonl"
    JSONS = "jsons"
    TENSORBOARD = "tensorboard"


#: What each format can hold.
KINDS_OF_FORMAT: Mapping[ExportFormat, Sequence[EventKind]] = {
    ExportFormat.CSV: tuple(EventKind),
    ExportFormat.JSONL: tuple(EventKind),
    ExportFormat.JSONS: (EventKind.LOSS, EventKind.STATE, EventKind.CONTROL),
    ExportFormat.TENSORBOARD: (EventKind.LOSS, EventKind.STATUS, EventKind.CONTROL, EventKind.PLUGIN),
}


def format_of(path: Path, name: str | None) -> ExportFormat:
    """The format of this name, or the one that the path's suffix tells.

    Raises:
        SpecInvalid: there is none.
    """
    wanted = (path.suffix.removeprefix(".") if name is None else name).lower()
    if wanted in list(ExportFormat):
        return ExportFormat(wanted)
    known = ", ".join(ExportFormat)
    asked = f"{path.name!r} does not say which format to write" if name is None else f"There is no format {name!r}"
    raise SpecInvalid(f"{asked}; known are {known}.", field="format", metadata={"value": wanted, "known": known})


def export_history(history: History, path: Path, wanted: ExportFormat) -> int:
    """Writes the history and returns the number of events written.

    Raises:
        MissingExtra, OSError, and what reading the history raises.
    """
    if wanted is ExportFormat.TENSORBOARD:
        return write_tensorboard(history, path)
    write = {ExportFormat.CSV: _write_csv, ExportFormat.JSONL: _write_jsonl, ExportFormat.JSONS: _write_jsons}[wanted]
    with _replacing(path) as file:
        return write(history, file)


@contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    """A file that takes the name of `path` once it is complete, and leaves nothing behind if it does not become so."""
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with partial.open("x", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _write_csv(history: History, file: TextIO) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(Row._fields)
    count = 0
    for count, message in enumerate(history._messages(), start=1):  # noqa: B007 (it is returned)
        writer.writerow(_cells(to_row(message), message.time.ToJsonString()))
    return count


def _cells(row: Row, time: str) -> list[Any]:
    details = {name: value for name, value in row.details.items() if not _is_empty(value)}
    cells = row._asdict() | {"time": time, "details": _dump(details) if details else ""}
    return [json_number(cell) if isinstance(cell, float) else cell for cell in cells.values()]


def _is_empty(value: Any) -> bool:
    """It is not there, or usual, and need not be said. Numbers are: 0 is one."""
    return value is None or value is False or (isinstance(value, str | list | dict) and not value)


def _write_jsonl(history: History, file: TextIO) -> int:
    count = 0
    for count, message in enumerate(history._messages(), start=1):  # noqa: B007
        file.write(_dump(event_json(message)) + "\n")
    return count


def _write_jsons(history: History, file: TextIO) -> int:
    count, told_eta = 0, None
    for message in history._messages():
        eta = _eta_after(message)
        if logged := _observed(message, eta, told_eta):
            file.write(_dump(logged) + "\n")
            count += 1
        told_eta = told_eta if eta is None else eta
    return count


def _eta_after(event: event_pb2.Event) -> float | None:
    """What eta is from the event on, as far as the event says so."""
    if event.HasField("state"):
        return event.state.eta
    if event.loss.HasField("eta"):
        return event.loss.eta
    return event.control.value if event.control.change.knob.name == "eta" else None


def _observed(event: event_pb2.Event, eta: float | None, told_eta: float | None) -> dict[str, Any]:
    """The event as the observatory logged it, where the log last told `told_eta`. Empty: it did not."""
    batch = event.batch
    now = {} if eta is None else {"eta": [batch, _finite(eta)]}
    if event.HasField("loss"):
        # No control tells what a schedule makes of eta.
        return {"loss": [batch, _finite(event.loss.value)], **(now if eta != told_eta else {})}
    if event.HasField("state"):
        vector = [_finite(number) for number in numbers(event.state)]
        # Before any training no loss is reported, but the observatory's first line has one.
        first = {"loss": [batch, _finite(event.state.loss)]} if batch == 0 else {}
        return {**now, "sv": [batch, vector], **first}
    return now


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _dump(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
