"""Events as rows of a table. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pilothouse._event_json import event_json
from pilothouse._extras import load
from pilothouse.v1 import event_pb2

#: What event_json tells and columns of a table hold, and so need not be among the details.
_IN_COLUMNS = {
    "loss": ("value", "eta"),
    "status": ("status",),
    "control": ("name", "value", "previous_value", "origin"),
    "state": ("eta",),
    "plugin": ("plugin",),
    "checkpoint": ("file", "checkpoint_batch"),
}


class Row(NamedTuple):
    """One event. What the columns hold is said at History.frame()."""

    sequence: int
    batch: int
    time: datetime
    kind: str
    name: str
    #: None: events of this kind have none.
    value: float | None
    previous_value: float | None
    eta: float | None
    origin: str
    details: Mapping[str, Any]


def to_row(event: event_pb2.Event) -> Row:
    """The event as a row."""
    kind = event.WhichOneof("kind") or "unknown"
    details = event_json(event)
    name, value = _name_and_value(kind, event, details)
    control = event.control if kind == "control" else None
    for told in ("type", "sequence", "batch", "time", *_IN_COLUMNS.get(kind, ())):
        details.pop(told, None)
    return Row(
        event.sequence,
        event.batch,
        event.time.ToDatetime(tzinfo=UTC),
        kind,
        name,
        value,
        control.previous_value if control else None,
        _eta(event),
        control.origin if control else "",
        details,
    )


def _eta(event: event_pb2.Event) -> float | None:
    if event.HasField("state"):
        return event.state.eta
    return event.loss.eta if event.loss.HasField("eta") else None


def _name_and_value(kind: str, event: event_pb2.Event, told: Mapping[str, Any]) -> tuple[str, float | None]:
    match kind:
        case "loss":
            return "", event.loss.value
        case "status":
            return told["status"], None
        case "control":
            return told["name"] or told["control"], event.control.value
        case "state":
            return "", event.state.eta
        case "plugin":
            values = event.plugin.output.values
            return event.plugin.plugin, values[0].value if values else None
        case "checkpoint":
            return event.checkpoint.file, event.checkpoint.batch
        case _:
            return "", None


def to_frame(messages: Iterable[event_pb2.Event]) -> Any:
    """A pandas DataFrame with one row for each event.

    Raises:
        MissingExtra: pandas is not installed.
    """
    pandas = load("pandas", "pandas", "A DataFrame")
    columns: dict[str, list[Any]] = {name: [] for name in Row._fields}
    for message in messages:
        for column, cell in zip(columns.values(), to_row(message), strict=True):
            column.append(cell)
    frame = pandas.DataFrame(columns, columns=list(Row._fields))
    frame["time"] = pandas.to_datetime(frame["time"], utc=True)
    numbers = ("value", "previous_value", "eta")
    return frame.astype({"sequence": "int64", "batch": "int64", **dict.fromkeys(numbers, "float64")})
