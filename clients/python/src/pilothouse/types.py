"""What a run is, as the service describes it: its state, its knobs, and the answers to controls.

All classes are immutable values and safe to share between threads.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from pilothouse.checkpoints import Branch, Lineage
from pilothouse.models import ModelUsed
from pilothouse.plugins import PluginState

#: An array in a run's precision.
FloatArray = NDArray[np.float32] | NDArray[np.float64]


class RunStatus(enum.StrEnum):
    """Where a run is in its life: STARTING → (TRAINING ⇄ IDLE) → STOPPING → STOPPED.

    From any living status a run can become LOST (and return), or FAILED.
    """

    #: A status that this version of the package does not know.
    UNSPECIFIED = "UNSPECIFIED"
    #: Its trainer is being started and reads its data.
    STARTING = "STARTING"
    #: Batches are being learnt.
    TRAINING = "TRAINING"
    #: The trainer lives and waits; IdleReason says for what.
    IDLE = "IDLE"
    #: It was asked to stop and has not stopped yet.
    STOPPING = "STOPPING"
    #: It was stopped by a control. Its last parameters are saved.
    STOPPED = "STOPPED"
    #: A plugin ended it; the status message says which and why. Its last parameters are saved.
    COMPLETED = "COMPLETED"
    #: It ended in an error; the status message says which.
    FAILED = "FAILED"
    #: The service has no connection to its trainer just now: the trainer may well be training on, or it has died and is
    #: being started again; the status message says which.
    LOST = "LOST"

    @property
    def ended(self) -> bool:
        """The run is over: STOPPED, COMPLETED or FAILED."""
        return self in (RunStatus.STOPPED, RunStatus.COMPLETED, RunStatus.FAILED)


class IdleReason(enum.StrEnum):
    """Why a run is IDLE."""

    #: The run is not idle.
    UNSPECIFIED = "UNSPECIFIED"
    #: Its batch equals its target.
    TARGET_REACHED = "TARGET_REACHED"
    #: It was paused, or given a target below its batch.
    PAUSED = "PAUSED"
    #: The loss became NaN or infinite; the update that loss would have led to was not made.
    DIVERGED = "DIVERGED"


@dataclass(frozen=True, slots=True)
class Knob:
    """A named, bounded setting of a run that can be changed while it runs."""

    name: str
    value: float
    #: Bounds, inclusive.
    minimum: float
    maximum: float
    #: Only whole numbers are taken.
    integer: bool
    #: What it does, and its unit.
    description: str
    #: Of eta: it is what the run's schedule says, and was not set since.
    follows_schedule: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as it was built: "Affine 64→128", its outputs and its parameters."""

    description: str
    outputs: int
    parameters: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What a trainer found when it built the run. Constant from then on."""

    examples: int
    #: Per example.
    inputs: int
    #: Of the network.
    outputs: int
    #: Length of the state vector.
    parameters: int
    batches_per_epoch: int
    layers: tuple[Layer, ...]
    #: Held out for validation, besides `examples`.
    validation_examples: int = 0
    #: SHA-256 of the data's files, in hexadecimal. A run goes on with exactly this data only.
    data_sha256: str = ""
    #: Kept for the end, besides `examples`.
    test_examples: int = 0
    #: What the table's header calls the inputs, in the order in which the network takes them. Empty where it has no
    #: header, or none that tells them apart.
    input_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class State:
    """A run as it was at one moment, between two batches."""

    run_id: str
    status: RunStatus
    idle_reason: IdleReason
    #: A sentence about how it came to its status, where there is more to say.
    status_message: str
    #: How many learning steps have been completed.
    batch: int
    #: The batch it trains up to.
    target: int
    #: Where resume() leads: the last target that lay ahead when it was set.
    resume_target: int
    #: The loss of `batch`: of the parameters before that update, on that batch's examples. −1 before any training; may
    #: be NaN or infinite.
    loss: float
    eta: float
    #: By name.
    knobs: Mapping[str, Knob]
    #: None in a list of runs, which leaves them out.
    facts: Facts | None
    #: Sequence of its newest event; watch(after_sequence=…) continues from there.
    last_sequence: int
    create_time: datetime | None
    #: When the training thread was last heard of.
    training_thread_seen_time: datetime | None
    #: When it ended. None: it has not.
    end_time: datetime | None
    #: Where it lives on the service's machine.
    directory: str
    #: All parameters after `batch`, or those of `model` if that is set, of shape (parameters,): layer by layer, weights
    #: [inputs][outputs] row-major, then biases; in the run's precision. None unless asked for.
    vector: FloatArray | None = None
    #: The plugins attached, in the order in which they run. Empty wherever they are left out: Run.plugins() tells them.
    plugins: tuple[PluginState, ...] = ()
    #: Where it was forked from. None: it was not.
    parent: Lineage | None = None
    #: What it was taken back from by rewind(), oldest first.
    branches: tuple[Branch, ...] = ()
    #: Batch of its newest checkpoint, and when that had been written. None: it has none.
    checkpoint_batch: int | None = None
    checkpoint_time: datetime | None = None
    #: How often its trainer was started again since it last got further.
    restarts: int = 0
    #: "adam", "gradient_descent"; its settings are among the knobs. Empty in a list of runs, which leaves it out.
    optimizer: str = ""
    #: Eta is what the schedule says, and was not set since.
    eta_follows_schedule: bool = True
    #: The schedule of eta. Empty: constant, or a list of runs, which leaves it out.
    eta_schedule: str = ""
    #: Which parameters were asked for, if not the last. None: the last.
    model: ModelUsed | None = None

    def __repr__(self) -> str:
        why = "" if self.idle_reason is IdleReason.UNSPECIFIED else f" ({self.idle_reason})"
        return (
            f"State({self.run_id}: {self.status}{why}, batch {self.batch}, target {self.target}, "
            f"loss {self.loss:.6g}, eta {self.eta:.6g})"
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a control, given only after the change is in the run's journal on disk."""

    #: The sequence of the control's event: with the run's id it names this change for ever.
    control_id: int
    request_id: str
    #: The change took effect after this batch and before the next.
    applied_batch: int
    #: What the knob or the target now really is. For a stop: the final batch. For a change of plugins: how many are
    #: attached now. For a checkpoint: its batch. For a rewind: the batch the run is at now.
    value: float
    applied_time: datetime | None
    #: Of a rewind: the branch that holds what came after. Empty: another change.
    branch: str = field(default="", kw_only=True)


@dataclass(frozen=True, slots=True)
class Stopped(Receipt):
    """The receipt of a stop."""

    final_batch: int
    #: −1 if no batch was ever trained.
    final_loss: float


@dataclass(frozen=True, slots=True)
class PluginReceipt(Receipt):
    """The receipt of a change of plugins."""

    #: The name of the plugin that was attached, detached or rescheduled.
    plugin: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Data that the service holds. The same content has the same id."""

    dataset_id: str
    total_bytes: int
    #: The service had it already.
    existed: bool
