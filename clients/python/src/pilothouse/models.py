"""What a run's parameters answer, and what they score.

All classes are immutable values and safe to share between threads.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pilothouse.types import FloatArray

__all__ = ["DataPart", "Evaluation", "Model", "ModelUsed", "Prediction"]

_CONFUSION = "confusion."


class Model(enum.StrEnum):
    """Which parameters of a run."""

    #: Those in a file that was asked for by its name, or what this version of the package does not know.
    UNSPECIFIED = "UNSPECIFIED"
    #: As they are now, or as the run left them.
    LAST = "LAST"
    #: The best that were kept: those in the file best.safetensors, which a plugin of kind save-best writes unless it
    #: was given another name; where there is none, those of the checkpoint with the lowest validation loss on the run's
    #: present line.
    BEST = "BEST"


class DataPart(enum.StrEnum):
    """A part of the examples that the run does not learn from."""

    #: One that this version of the package does not know.
    UNSPECIFIED = "UNSPECIFIED"
    #: Kept for the end. Whoever picks among parameters or settings by what they score here has learnt from them.
    TEST = "TEST"
    #: Held out.
    VALIDATION = "VALIDATION"


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """Which parameters of a run were used."""

    #: UNSPECIFIED where a file was asked for by its name.
    model: Model
    #: Below the run's directory: "saved/best.safetensors". Empty: those of a run that lives, as they were.
    file: str
    #: They are those after this batch.
    batch: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Prediction(ModelUsed):
    """What the network answers, and whose parameters it took."""

    #: Of shape (examples, outputs), or (outputs,) for a single example.
    outputs: FloatArray
    #: The inputs were asked for in several pieces, and the parameters changed between them: what is said of them here
    #: is true of the last piece only.
    mixed: bool = False

    # Arrays have no one answer to whether they are equal; that the same parameters were used is not enough.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"Prediction(outputs of shape {self.outputs.shape}, {_which(self)}{', mixed' if self.mixed else ''})"


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation(ModelUsed):
    """What the parameters score on examples that the run does not learn from, by their weights if they have any."""

    part: DataPart
    #: How many were scored: those of the part whose weight is not 0.
    examples: int
    #: By name: "loss"; of classes "accuracy", "balanced_accuracy", "roc_auc" and "confusion.<class>.<predicted>"; of
    #: numbers "r2" and "mae". What makes no sense for these examples is left out.
    values: Mapping[str, float] = field(hash=False)

    @property
    def loss(self) -> float:
        """The mean over the examples. May be NaN or infinite."""
        return self.values.get("loss", math.nan)

    @property
    def accuracy(self) -> float | None:
        """The part of the examples whose class was predicted, 0 to 1. None: they have no classes."""
        return self.values.get("accuracy")

    @property
    def balanced_accuracy(self) -> float | None:
        """The mean over classes of the part of their examples that was predicted, 0 to 1. None: as accuracy."""
        return self.values.get("balanced_accuracy")

    @property
    def roc_auc(self) -> float | None:
        """The area under the ROC curve, 0 to 1. None: there are not two classes, or examples of one of them only."""
        return self.values.get("roc_auc")

    @property
    def r2(self) -> float | None:
        """R², up to 1, and 0 for a network that always answers with the mean. None: there are classes."""
        return self.values.get("r2")

    @property
    def mae(self) -> float | None:
        """The mean absolute error, in the targets' unit. None: there are classes."""
        return self.values.get("mae")

    @property
    def confusion(self) -> NDArray[np.float64] | None:
        """How many examples of one class, the row, were taken for another, the column; with weights, the sum of theirs.

        None: the examples have no classes, or more than 30.
        """
        counts = [value for name, value in self.values.items() if name.startswith(_CONFUSION)]
        if not counts:
            return None
        classes = range(math.isqrt(len(counts)))
        return np.array([[self.values.get(f"{_CONFUSION}{of}.{taken}", 0.0) for taken in classes] for of in classes])

    def __repr__(self) -> str:
        shown = [f"{name} {value:.6g}" for name, value in self.values.items() if not name.startswith(_CONFUSION)]
        return f"Evaluation({self.part}: {', '.join(shown)}; of {self.examples} examples, {_which(self)})"


def _which(used: ModelUsed) -> str:
    return f"{used.file or used.model} after batch {used.batch}"
