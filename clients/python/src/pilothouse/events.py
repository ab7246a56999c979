"""What a watch yields. All classes are immutable values and safe to share between threads.

Tell them apart with `match` or isinstance:

    for event in run.watch():
        match event:
            case pilothouse.LossEvent(batch=batch, value=loss): ...
            case pilothouse.ControlEvent(name=name, value=value, batch=batch): ...
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pilothouse.plugins import Histogram
from pilothouse.types import FloatArray, IdleReason, RunStatus, State

#: Of a plugin's numbers, so many stand in an event's repr.
_VALUES_SHOWN = 8


class EventKind(enum.StrEnum):
    """Kinds of events, for choosing among them."""

    LOSS = "LOSS"
    STATUS = "STATUS"
    CONTROL = "CONTROL"
    STATE = "STATE"
    PLUGIN = "PLUGIN"
    CHECKPOINT = "CHECKPOINT"


class ControlKind(enum.StrEnum):
    """What a control does."""

    #: A control that this version of the package does not know.
    UNSPECIFIED = "UNSPECIFIED"
    #: Sets the knob `name`.
    KNOB = "KNOB"
    #: Sets the target to a batch.
    BATCH_TO = "BATCH_TO"
    #: Moves the target so many batches further.
    TRAIN = "TRAIN"
    PAUSE = "PAUSE"
    RESUME = "RESUME"
    STOP = "STOP"
    ATTACH_PLUGIN = "ATTACH_PLUGIN"
    DETACH_PLUGIN = "DETACH_PLUGIN"
    RESCHEDULE_PLUGIN = "RESCHEDULE_PLUGIN"
    #: Replaces the parameters. Only plugins ask for this.
    PARAMETERS = "PARAMETERS"
    #: Makes a checkpoint.
    CHECKPOINT = "CHECKPOINT"
    #: Takes the run back to an earlier batch: `batch` is where it was, `value` where it is now.
    REWIND = "REWIND"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Snapshot:
    """The run as it was when the watch began. The first thing a watch yields."""

    state: State
    #: The connection had broken and was made again just now; the events go on where they had stopped.
    resumed: bool

    @property
    def batch(self) -> int:
        """The run's batch."""
        return self.state.batch

    def __repr__(self) -> str:
        return f"Snapshot({self.state!r}{', resumed' if self.resumed else ''})"


@dataclass(frozen=True, slots=True)
class LossEvent:
    """The loss of `batch`: of the parameters before that batch's update, on that batch's examples."""

    #: Position in the run, counting up from 1 without holes.
    sequence: int
    batch: int
    #: The trainer's clock. For people: order is by sequence.
    time: datetime
    #: May be NaN or infinite.
    value: float
    #: The batch is the run's target.
    at_target: bool
    #: What eta was then, for the next batch. None in journals of older trainers.
    eta: float | None = None


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """The run's status changed."""

    sequence: int
    batch: int
    time: datetime
    status: RunStatus
    idle_reason: IdleReason
    #: Why, where there is more to say.
    message: str
    #: The target then.
    target: int
    #: The loss then; −1 before any training.
    loss: float


@dataclass(frozen=True, slots=True)
class ControlEvent:
    """A control was applied after `batch` and before the next."""

    #: Also the control's id.
    sequence: int
    batch: int
    time: datetime
    kind: ControlKind
    #: The knob's name, "target", "stop", the name of the plugin that is attached or changed, "parameters", "checkpoint"
    #: or "rewind".
    name: str
    #: What the knob or the target now really is. For a stop: the final batch. For a change of plugins: how many are
    #: attached now. For new parameters: the batch they come from. For a checkpoint: its batch. For a rewind: the batch
    #: the run is at now.
    value: float
    #: What it was before.
    previous_value: float
    request_id: str
    #: Who asked, and why, as they said.
    origin: str
    note: str
    #: The batch asked for. None: the next boundary.
    at_batch: int | None
    #: The plugin that was attached, detached or rescheduled. Empty: another change.
    plugin: str = ""
    #: Of a rewind: the branch that holds what came after. Empty: another change.
    branch: str = ""
    #: Of the knob eta: it follows the run's schedule from here on, which gave `value`. False: it was set, or another
    #: change.
    follow_schedule: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class StateEvent:
    """The state vector after `batch`."""

    sequence: int
    batch: int
    time: datetime
    #: Shape (parameters,), in the run's precision: layer by layer, weights [inputs][outputs] row-major, then biases.
    vector: FloatArray
    eta: float
    #: The loss of `batch`, which belongs to the parameters before that batch's update; −1 before any training.
    loss: float
    #: Somebody asked for it, as opposed to state_every.
    asked: bool


@dataclass(frozen=True, slots=True, repr=False)
class PluginEvent:
    """A plugin reported something after `batch`."""

    sequence: int
    batch: int
    time: datetime
    #: The plugin's name and kind.
    plugin: str
    kind: str
    #: Named numbers, and histograms, in the order reported; either may be empty.
    values: Mapping[str, float] = field(hash=False)
    histograms: Mapping[str, Histogram] = field(hash=False)
    #: For people. May be empty.
    message: str

    def __repr__(self) -> str:
        shown = [f"{name}={value:.6g}" for name, value in itertools.islice(self.values.items(), _VALUES_SHOWN)]
        more = len(self.values) - len(shown)
        shown += [f"{more} more values"] if more else []
        shown += [f"{len(self.histograms)} histogram{'s' * (len(self.histograms) > 1)}"] if self.histograms else []
        shown += [repr(self.message)] if self.message else []
        return f"PluginEvent({self.sequence}, batch {self.batch}, {self.plugin}: {', '.join(shown) or 'nothing'})"


@dataclass(frozen=True, slots=True, repr=False)
class PluginFailureEvent:
    """A call of a plugin failed: it reported an error, took longer than its allowance, or gave what is no number."""

    sequence: int
    batch: int
    time: datetime
    #: The plugin's name and kind.
    plugin: str
    kind: str
    message: str
    #: Failures in a row, with this one.
    failures_in_a_row: int
    #: What follows from it: the plugin is gone, or, as it is required, the run is paused.
    detached: bool
    paused: bool

    def __repr__(self) -> str:
        then = ", detached" if self.detached else ", run paused" if self.paused else ""
        return (
            f"PluginFailureEvent({self.sequence}, batch {self.batch}, {self.plugin}: {self.message!r}, "
            f"failure {self.failures_in_a_row} in a row{then})"
        )


@dataclass(frozen=True, slots=True, repr=False)
class CheckpointEvent:
    """A checkpoint was written, or could not be, and training goes on all the same: `error` tells them apart.

    Writing happens beside training, so `batch` is usually later than `checkpoint_batch`.
    """

    sequence: int
    batch: int
    time: datetime
    #: The state is that after this batch.
    checkpoint_batch: int
    #: As in Checkpoint. Empty, and 0 bytes, where it could not be written.
    file: str
    sha256: str
    bytes: int
    state_sha256: str
    #: How many controls of the run had been applied by then, and how often it had been taken back.
    controls: int
    line: int
    pinned: bool
    #: Of the control that asked for it. Empty: the run's own.
    request_id: str
    #: Why it could not be written: the disk is full, say. Empty: it was.
    error: str
    #: Seconds that the training thread was held up, and that writing took.
    held_up: float
    writing: float
    #: The newest validation loss then. None: there was none.
    validation_loss: float | None

    @property
    def written(self) -> bool:
        """It is there."""
        return not self.error

    def __repr__(self) -> str:
        what = f"failed: {self.error}" if self.error else f"{self.file}, {self.bytes} bytes"
        return f"CheckpointEvent({self.sequence}, batch {self.batch}, of batch {self.checkpoint_batch}: {what})"


@dataclass(frozen=True, slots=True)
class Gap:
    """Events from `first` to `last`, both inclusive, that this watch did not keep up with and that were left out.

    A gap may enclose sequences of events that did come. Read the rest with watch(after_sequence=first − 1).
    """

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The run goes on although nothing happened for max_interval."""

    status: RunStatus
    batch: int
    #: −1 before any training.
    loss: float
    #: When the training thread was last heard of: long ago means that it hangs.
    training_thread_seen_time: datetime | None
    time: datetime


#: What a run reports, and what its journal keeps.
JournaledEvent = (
    LossEvent | StatusEvent | ControlEvent | StateEvent | PluginEvent | PluginFailureEvent | CheckpointEvent
)

#: Whatever a watch yields.
Event = Snapshot | JournaledEvent | Gap | Heartbeat
