"""What a run has reported, read from its journal."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilothouse._connection import Connection
from pilothouse._convert import to_event
from pilothouse._names import enum_number
from pilothouse._numbers import whole
from pilothouse._rows import to_frame
from pilothouse.errors import HistoryRangeInvalid
from pilothouse.events import Gap, JournaledEvent
from pilothouse.v1 import event_pb2
from pilothouse.v1 import training_control_pb2 as pb

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["History", "Losses"]

_log = logging.getLogger("pilothouse")

#: Events in an answer, at most; the service sends fewer where they are large.
_PAGE_SIZE = 10_000
#: Losses are thinned to so many, as the service has it.
_LEAST_POINTS, _MOST_POINTS = 2, 100_000


class Losses(NamedTuple):
    """Reported losses, in order: `plot(*run.losses())` draws the curve."""

    #: Shape (losses,).
    batches: NDArray[np.int64]
    #: Shape (losses,). May hold NaN and infinities.
    values: NDArray[np.float64]


class History:
    """The events of a run in the order of their sequence, as an iterable: each `for` reads them anew, page by page.

    Nothing is kept in memory but a page, so a history may be longer than that. Make one with Run.history(). One thread
    at a time.
    """

    def __init__(self, connection: Connection, request: pb.ReadHistoryRequest, timeout: float | None) -> None:
        """Use Run.history(). `timeout` is for each page."""
        self._connection = connection
        self._request = request
        self._timeout = timeout
        # None: nothing was read yet.
        self._damaged: list[Gap] | None = None

    @property
    def damaged(self) -> tuple[Gap, ...]:
        """Where the journal is damaged, as far as the last reading has come: these events cannot be read.

        Where nothing was read yet, the whole history is read for it, which can raise as the iteration does.
        """
        if self._damaged is None:
            for _ in self._messages():
                pass
        return tuple(self._damaged or ())

    def __repr__(self) -> str:
        return f"<pilothouse.History of {self._request.run_id}>"

    def __iter__(self) -> Iterator[JournaledEvent]:
        """Raises, while it is read.

        Raises:
            RunNotFound, BranchNotFound, HistoryRangeInvalid, JournalFailed, Unreachable, DeadlineExceeded.
        """
        for message in self._messages():
            event = to_event(message)
            if event is not None:
                yield event

    def frame(self) -> DataFrame:
        """The events as a pandas DataFrame, one row each. Needs pandas: this package's extra [pandas].

        Columns, empty or NaN where an event has no such thing:

        - sequence, batch, time (UTC): of the event.
        - kind: "loss", "status", "control", "state", "plugin" or "checkpoint".
        - name: the knob's, the plugin's or the control's ("eta", "target", "stop", …); a status ("IDLE", …); a
          checkpoint's file.
        - value: the loss; of a control: the value now; of a state: eta; of a plugin: the first it reported; of a
          checkpoint: its batch.
        - previous_value: of a control.
        - eta: of a loss and a state: what it was then, for the next batch. NaN in journals of older trainers.
        - origin: who asked for a control.
        - details: all else, a dict: what a plugin reported ("values", "message"), a control's "note", ….

        Raises:
            MissingExtra: pandas is not installed.
            As the iteration.
        """
        frame: DataFrame = to_frame(self._messages())
        return frame

    def _messages(self) -> Iterator[Any]:
        """The events as they travel."""
        damaged: list[Gap] = []
        self._damaged = damaged
        request = pb.ReadHistoryRequest()
        request.CopyFrom(self._request)
        stub = self._connection.stub
        while True:
            page = self._connection.call(lambda left: stub.ReadHistory(request, timeout=left), self._timeout)
            self._note_damage(page, damaged)
            yield from page.events
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _has_controls(self) -> bool:
        return not self._request.kinds or event_pb2.EVENT_KIND_CONTROL in self._request.kinds

    def _first_eta(self) -> float | None:
        """What eta was at the run's first batch. None: not known: it begins later, or eta has a schedule."""
        if self._request.HasField("first_batch"):
            return None
        # Asked before the controls are read, so that a change of eta in between is among them.
        run = self._run()
        if _changes_eta(run.spec.eta_schedule):
            return None
        request = pb.ReadHistoryRequest(
            run_id=self._request.run_id, kinds=[event_pb2.EVENT_KIND_CONTROL], branch="*", page_size=_PAGE_SIZE
        )
        for message in History(self._connection, request, self._timeout)._messages():
            if message.control.change.knob.name == "eta":
                return float(message.control.previous_value)
        return float(run.eta)

    def _has_eta_schedule(self) -> bool:
        """Whether eta changes without a control."""
        return _changes_eta(self._run().spec.eta_schedule)

    def _run(self) -> Any:
        """The run as it is now."""
        asked = pb.GetStateRequest(run_id=self._request.run_id)
        stub = self._connection.stub
        return self._connection.call(lambda left: stub.GetState(asked, timeout=left), self._timeout).run

    def _note_damage(self, page: Any, damaged: list[Gap]) -> None:
        for proto in page.damaged:
            gap = Gap(proto.first, proto.last)
            if gap not in damaged:
                damaged.append(gap)
                _log.warning(
                    "the journal of %s is damaged: its events %d to %d cannot be read",
                    self._request.run_id,
                    gap.first,
                    gap.last,
                )


def _changes_eta(schedule: str) -> bool:
    return schedule.split()[:1] not in ([], ["constant"])


def history_request(
    run_id: str,
    kinds: str | Iterable[str] | None,
    first_batch: int | None,
    last_batch: int | None,
    points: int | None,
    branch: str | None,
) -> pb.ReadHistoryRequest:
    """What to read.

    Raises:
        SpecInvalid: there is no such kind.
        HistoryRangeInvalid: `points` is outside its range.
        TypeError: what should be a whole number is none.
    """
    if isinstance(kinds, str):
        kinds = [kinds]
    if points is not None and not _LEAST_POINTS <= whole(points, "points") <= _MOST_POINTS:
        raise HistoryRangeInvalid(
            f"Losses are thinned to {_LEAST_POINTS} to {_MOST_POINTS:,} points; got {points}.",
            field="max_points",
            metadata={"value": str(points)},
        )
    return pb.ReadHistoryRequest(
        run_id=run_id,
        kinds=[enum_number(event_pb2.EventKind, kind, field="kinds") for kind in kinds or ()],
        first_batch=None if first_batch is None else whole(first_batch, "first_batch"),
        last_batch=None if last_batch is None else whole(last_batch, "last_batch"),
        branch=branch or "",
        max_points=0 if points is None else whole(points, "points"),
        page_size=_PAGE_SIZE,
    )


def to_losses(history: History) -> Losses:
    """The losses of a history."""
    batches, values = [], []
    for message in history._messages():
        if message.HasField("loss"):
            batches.append(message.batch)
            values.append(message.loss.value)
    return Losses(np.array(batches, dtype=np.int64), np.array(values, dtype=np.float64))
