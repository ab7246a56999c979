"""Histories as event files of TensorBoard."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilothouse._event_json import event_json
from pilothouse._extras import load
from pilothouse._names import enum_word
from pilothouse.v1 import event_pb2, plugin_pb2, run_pb2

if TYPE_CHECKING:
    from pilothouse.history import History

#: TensorBoard takes every file for its own that has "tfevents" in its name. Always the same one, so that a run that is
#: exported again is not shown twice.
EVENT_FILE = "events.out.tfevents.0.pilothouse"
_ETA = "eta"
_KNOB_TAG = "knobs/"


def write_tensorboard(history: History, folder: Path) -> int:
    """Writes EVENT_FILE into the folder, which is made if it is not there; returns the number of events written.

    Raises:
        MissingExtra: tensorboardX is not installed.
        OSError: it cannot be written. An older file is as it was.
        What reading the history raises.
    """
    tensorboard = load("tensorboardX", "tensorboard", "Writing for TensorBoard")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".pilothouse-", dir=folder) as scratch:
        writer = tensorboard.SummaryWriter(logdir=scratch, flush_secs=3600)
        with contextlib.closing(writer):
            count = _write_all(writer, history)
        (written,) = Path(scratch).iterdir()
        written.replace(folder / EVENT_FILE)
    return count


def _write_all(writer: Any, history: History) -> int:
    count = 0
    curve = _EtaCurve(writer, history) if history._has_controls() else None
    for message in history._messages():
        if curve is not None:
            curve.take(message)
        count += _write(writer, message)
    if curve is not None:
        curve.end()
    return count


class _EtaCurve:
    """What of eta no control tells: what a schedule made of it, and how it was at first, where the other curves begin.

    To be given every event before that is written itself.
    """

    def __init__(self, writer: Any, history: History) -> None:
        self._writer = writer
        self._history = history
        self._first: tuple[int, float] | None = None
        # What it is after the events so far. None: not known yet.
        self._eta: float | None = None

    def take(self, event: event_pb2.Event) -> None:
        """Writes what is known of eta before the event, and by a loss what the schedule has made of it by then."""
        self._first = self._first or _moment(event)
        if event.control.change.knob.name == _ETA:
            self._begin(event.control.previous_value, event)
            self._eta = event.control.value
        elif event.loss.HasField("eta"):
            self._begin(event.loss.eta, event)
            if self._eta is not None and event.loss.eta != self._eta:
                _write_step(self._writer, _ETA, self._eta, event.loss.eta, _moment(event))
            self._eta = event.loss.eta

    def end(self) -> None:
        """Writes what eta was all the time, if no event told it."""
        if self._first is not None and self._eta is None and (eta := self._history._first_eta()) is not None:
            self._write(eta, self._first)

    def _begin(self, eta: float, event: event_pb2.Event) -> None:
        """Lets the curve begin, where it has not begun, with what eta was by the time of the event."""
        if self._eta is not None or self._first is None:
            return
        self._eta = eta
        if event.batch == self._first[0] or not self._history._has_eta_schedule():
            self._write(eta, self._first)
        elif event.HasField("loss"):
            # What a schedule said at the first batch is not known.
            self._write(eta, _moment(event))

    def _write(self, eta: float, moment: tuple[int, float]) -> None:
        self._writer.add_scalar(_KNOB_TAG + _ETA, eta, *moment)


def _write_step(writer: Any, knob: str, before: float, after: float, moment: tuple[int, float]) -> None:
    """Both, since a curve begins where its first point is."""
    writer.add_scalar(_KNOB_TAG + knob, before, *moment)
    writer.add_scalar(_KNOB_TAG + knob, after, *moment)


def _moment(event: event_pb2.Event) -> tuple[int, float]:
    """The step, and the wall time in seconds."""
    return event.batch, event.time.ToNanoseconds() / 1e9


def _write(writer: Any, event: event_pb2.Event) -> bool:
    """Writes one event, its batch as the step. False: TensorBoard has no place for it."""
    moment = _moment(event)
    match event.WhichOneof("kind"):
        case "loss":
            writer.add_scalar("loss", event.loss.value, *moment)
        case "status":
            report = event.status
            words = [enum_word(run_pb2.RunStatus, report.status), enum_word(run_pb2.IdleReason, report.idle_reason)]
            writer.add_text("status", ": ".join(filter(None, [*words, report.message])), *moment)
        case "control":
            _write_control(writer, event, moment)
        case "plugin":
            _write_output(writer, event.plugin, moment)
        case _:
            return False
    return True


def _write_control(writer: Any, event: event_pb2.Event, moment: tuple[int, float]) -> None:
    report = event.control
    if report.change.HasField("knob"):
        _write_step(writer, report.change.knob.name, report.previous_value, report.value, moment)
    told = event_json(event)
    what = " ".join(filter(None, (told["control"], told["name"])))
    who = f" by {report.origin}" if report.origin else ""
    why = f": {report.note}" if report.note else ""
    writer.add_text("controls", f"{what} = {report.value:g}{who}{why}", *moment)


def _write_output(writer: Any, report: plugin_pb2.PluginReport, moment: tuple[int, float]) -> None:
    for value in report.output.values:
        writer.add_scalar(f"{report.plugin}/{value.name}", value.value, *moment)
    for histogram in report.output.histograms:
        _write_histogram(writer, f"{report.plugin}/{histogram.name}", histogram, moment)
    if message := report.output.message or report.failure.message:
        writer.add_text(report.plugin, message, *moment)


def _write_histogram(writer: Any, tag: str, histogram: plugin_pb2.Histogram, moment: tuple[int, float]) -> None:
    bins = len(histogram.counts)
    width = (histogram.maximum - histogram.minimum) / bins if bins else 0.0
    middles = [histogram.minimum + (number + 0.5) * width for number in range(bins)]
    weighted = list(zip(middles, histogram.counts, strict=True))
    writer.add_histogram_raw(
        tag,
        min=histogram.minimum,
        max=histogram.maximum,
        num=sum(histogram.counts),
        # Of the values themselves nobody knows more than their bins.
        sum=sum(middle * count for middle, count in weighted),
        sum_squares=sum(middle**2 * count for middle, count in weighted),
        bucket_limits=[histogram.minimum + (number + 1) * width for number in range(bins)],
        bucket_counts=list(histogram.counts),
        global_step=moment[0],
        walltime=moment[1],
    )
