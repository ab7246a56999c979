"""Parts of a run's description, from what people write. Pure functions."""

from __future__ import annotations

from pilothouse._convert import to_duration
from pilothouse._numbers import integer, real, whole
from pilothouse.checkpoints import Checkpoints
from pilothouse.errors import CheckpointsInvalid, SpecInvalid
from pilothouse.v1 import checkpoint_pb2, run_pb2

#: Seconds: 7 days, as the service has it.
_LARGEST_CHECKPOINT_INTERVAL = 7 * 24 * 3600
_LARGEST_KEEP_LAST = 1000


def seed_number(seed: int, name: str = "seed", *, field: str = "spec.seed") -> int:
    """The seed, once it is known to be one.

    Raises:
        SpecInvalid: it is outside 0 … 2^64 − 1.
        TypeError: it is no whole number.
    """
    number = integer(seed, name)
    if not 0 <= number < 2**64:
        raise SpecInvalid(
            f"A seed lies between 0 and 2^64 − 1; got {number}.", field=field, metadata={"value": str(number)}
        )
    return number


def thread_count(threads: int) -> int:
    """The number of threads, once it can travel: 0 would mean the usual number there.

    Raises:
        SpecInvalid: it is less than 1, or far more than there can be.
        TypeError: it is no whole number.
    """
    number = integer(threads, "threads")
    if not 1 <= number < 2**31:
        raise SpecInvalid(
            f"A run computes with 1 thread or more; got {number}.",
            field="spec.threads",
            metadata={"value": str(number)},
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
