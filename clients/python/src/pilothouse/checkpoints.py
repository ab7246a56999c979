"""Checkpoints of a run, and where runs come from.

All classes are immutable values and safe to share between threads.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pilothouse.types import Receipt

__all__ = ["Branch", "Checkpoint", "CheckpointCondition", "Checkpoints", "Lineage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
    """When a run makes checkpoints, and which it keeps.

    `interval` and `every` are knobs, too, which can be changed while the run runs: "checkpoint_interval" and
    "checkpoint_every". A checkpoint that is pinned is kept for as long as the run, whatever this says.
    """

    #: Least seconds between two, up to 7 days. 0: none by time.
    interval: float = 60.0
    #: Every n-th batch besides. 0: off.
    every: int = 0
    #: So many of the newest are kept, 1 to 1,000.
    keep_last: int = 3
    #: Those whose batch is a multiple of it are kept. 0: off.
    keep_every: int = 0
    #: The one with the lowest validation loss is kept; of equals, the first. None: yes, where examples are held out.
    keep_best: bool | None = None


class CheckpointCondition(enum.StrEnum):
    """What a look at a checkpoint's file showed. Its content is not read then, but whenever it is used."""

    #: Nobody looked, or it is one that this version of the package does not know.
    UNSPECIFIED = "UNSPECIFIED"
    #: It is there, and as large as it was when it had been written.
    PRESENT = "PRESENT"
    #: It has another size, so it is of no use.
    DAMAGED = "DAMAGED"
    #: It was pinned, and is not there.
    GONE = "GONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Everything that a run needs to go on, bit for bit, from after `batch`: a safetensors file, which never changes.

    On the service's machine, or wherever its folder is copied to, the weights load into PyTorch in three lines:

        from safetensors.torch import load_file
        layers = load_file(run.checkpoint().path)
        linear.load_state_dict({"weight": layers["layers.0.weight"].T, "bias": layers["layers.0.bias"]})

    "layers.N.weight" has the shape [inputs, outputs], so torch's Linear takes its transpose; N counts all layers, so
    the affine ones of "64x128rx10" are 0 and 2. The gains and biases of norms are called the same, and are as torch's
    LayerNorm and BatchNorm1d have them; so are a batch norm's "layers.N.running_mean" and "layers.N.running_var". Where
    inputs were standardised, "standardize.mean" and "standardize.deviation" say how. safetensors.numpy reads the same
    file as arrays.
    """

    batch: int
    #: Below the run's directory: "checkpoints/batch-000000000050.safetensors".
    file: str
    #: SHA-256 of the file's content, in hexadecimal.
    sha256: str
    bytes: int
    #: SHA-256 of the numbers that learning goes on from: the same for the same state, whatever else the file holds.
    state_sha256: str
    #: It is kept for as long as the run.
    pinned: bool
    #: The newest validation loss then. None: there was none.
    validation_loss: float | None
    #: The branch it belongs to. Empty: the run's present line.
    branch: str
    #: When it had been written, and the sequence of the event that says so.
    time: datetime | None
    sequence: int
    #: The run's directory on the service's machine.
    directory: Path
    #: In a list. UNSPECIFIED of one that was made just now.
    condition: CheckpointCondition = CheckpointCondition.UNSPECIFIED
    #: Of the Run.checkpoint() that returned this. None in a list.
    receipt: Receipt | None = field(default=None, compare=False)

    @property
    def path(self) -> Path:
        """The file on the service's machine."""
        return self.directory / self.file


@dataclass(frozen=True, slots=True)
class Branch:
    """What came after a batch that a run was taken back to."""

    name: str
    #: It holds what came after this batch, up to and with that one.
    from_batch: int
    through_batch: int
    #: When the run was taken back.
    time: datetime | None


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a forked run comes from: it goes on from after `batch` of run `run_id`."""

    run_id: str
    batch: int
    #: The branch of that run. Empty: what was its present line then.
    branch: str
