"""Parts of a run's description, from what people write. Pure functions."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import numpy as np

from pilothouse._convert import to_duration
from pilothouse._numbers import integer, real, whole
from pilothouse.checkpoints import Checkpoints
from pilothouse.errors import CheckpointsInvalid, SpecInvalid
from pilothouse.v1 import checkpoint_pb2, run_pb2

#: Seconds: 7 days, as the service has it.
_LARGEST_CHECKPOINT_INTERVAL = 7 * 24 * 3600
_LARGEST_KEEP_LAST = 1000


def seed_number(seed: int) -> int:
    """The seed, once it is known to be one.

    Raises:
        SpecInvalid: it is outside 0 … 2^64 − 1.
        TypeError: it is no whole number.
    """
    number = integer(seed, "seed")
    if not 0 <= number < 2**64:
        raise SpecInvalid(
            f"A seed lies between 0 and 2^64 − 1; got {number}.", field="spec.seed", metadata={"value": str(number)}
        )
    return number


def set_batch_size(spec: run_pb2.RunSpec, batch_size: int | str | None) -> None:
    """Writes the size of batches into the spec.

    Raises:
        SpecInvalid: it is neither a number nor "full".
    """
    if batch_size == "full":
        spec.full_batch = True
    elif isinstance(batch_size, str):
        raise SpecInvalid(
            f'batch_size is a whole number or "full"; got {batch_size!r}.',
            field="spec.batch_size",
            metadata={"value": batch_size},
        )
    elif batch_size is not None:
        spec.batch_size = whole(batch_size, "batch_size")


def report_spec(loss_interval: float | None, loss_every: int | None, state_every: int | None) -> run_pb2.ReportSpec:
    """How often the run reports.

    Raises:
        IntervalInvalid: the interval is outside its range.
    """
    report = run_pb2.ReportSpec(
        loss_every=whole(loss_every or 0, "loss_every"), state_every=whole(state_every or 0, "state_every")
    )
    if loss_interval is not None:
        report.loss_interval.CopyFrom(to_duration(loss_interval, field="spec.report.loss_interval"))
    return report


def checkpoint_spec(checkpoints: Checkpoints) -> checkpoint_pb2.CheckpointSpec:
    """When checkpoints are made, and which are kept.

    Raises:
        TypeError: something else than Checkpoints was given, or what should be a number is none.
        CheckpointsInvalid: a number is outside its range.
    """
    if not isinstance(checkpoints, Checkpoints):
        raise TypeError(f"checkpoints is pilothouse.Checkpoints(…), not {type(checkpoints).__name__}")
    keep_last = whole(checkpoints.keep_last, "keep_last")
    if not 1 <= keep_last <= _LARGEST_KEEP_LAST:
        raise CheckpointsInvalid(
            f"Of checkpoints, 1 to {_LARGEST_KEEP_LAST:,} of the newest are kept; got {keep_last}.",
            field="spec.checkpoints.keep_last",
            metadata={"value": str(keep_last)},
        )
    spec = checkpoint_pb2.CheckpointSpec(
        interval=to_duration(
            real(checkpoints.interval, "interval"),
            field="spec.checkpoints.interval",
            largest=_LARGEST_CHECKPOINT_INTERVAL,
            refusal=CheckpointsInvalid,
        ),
        every=whole(checkpoints.every, "every"),
        keep_last=keep_last,
        keep_every=whole(checkpoints.keep_every, "keep_every"),
    )
    if checkpoints.keep_best is not None:
        spec.keep_best = checkpoints.keep_best
    return spec


#: Examples to hold out: a number of them, or a part of all; None: none.
Validation = int | float | str | None


def set_validation(spec: run_pb2.DataSpec, validation: Validation) -> None:
    """Writes what is to be held out into the spec: a part exactly as it was given, since the trainer rounds.

    Raises:
        SpecInvalid: it is neither a number of examples nor a part of them. It is a ValueError, too.
    """
    if validation is None:
        return
    number = _read_validation(validation) if isinstance(validation, str) else validation
    if isinstance(number, float | np.floating) and 0 < number < 1:
        spec.validation_fraction = float(number)
        return
    if isinstance(number, int | np.integer) and not isinstance(number, bool) and 1 <= number < 2**63:
        spec.validation_examples = int(number)
        return
    raise SpecInvalid(
        'validation is a part of the examples above 0 and below 1, as in 0.2 or "20%", or a number of examples, 1 or '
        f"more, as in 300; got {validation!r}.",
        field="spec.data.validation",
        metadata={"value": str(validation)},
    )


def _read_validation(text: str) -> int | float | None:
    """A number of examples from "300", a part from "0.2" and "20%", None from anything else."""
    digits = text.strip()
    try:
        # Decimal, so that "29%" becomes the number nearest to 0.29, and nothing below it.
        number = Decimal(digits.removesuffix("%"))
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    if digits.endswith("%"):
        return float(number / 100)
    return int(digits) if digits.isdecimal() else float(number)
