"""From the protocol's messages to the classes of this package, and arrays in both directions. Pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.duration_pb2 import Duration
from numpy.typing import ArrayLike, NDArray

from pilothouse import checkpoints, events, types
from pilothouse._names import enum_member, enum_word
from pilothouse._plugins import to_histogram, to_plugin_state
from pilothouse.errors import ArrayDtypeInvalid, ArrayShapeInvalid, IntervalInvalid, PilothouseError
from pilothouse.models import ModelUsed
from pilothouse.v1 import checkpoint_pb2, control_pb2, event_pb2, optimizer_pb2, plugin_pb2, run_pb2, tensor_pb2

_ELEMENT_DTYPES: dict[tensor_pb2.ElementType, np.dtype[Any]] = {
    tensor_pb2.ELEMENT_TYPE_FLOAT32: np.dtype("<f4"),
    tensor_pb2.ELEMENT_TYPE_FLOAT64: np.dtype("<f8"),
}
#: Seconds; the intervals between reports end here.
_LARGEST_INTERVAL = 3600
_ELEMENT_TYPES = {dtype: number for number, dtype in _ELEMENT_DTYPES.items()}


def as_floats(array: ArrayLike, *, field: str) -> NDArray[Any]:
    """The numbers as float32 or float64, little-endian and contiguous, without loss where there is none to suffer.

    float32 and float64 stay what they are, small integers and booleans become float32, everything else float64.

    Raises:
        ArrayDtypeInvalid: the elements are not real numbers.
        ArrayShapeInvalid: the rows differ in length.
    """
    try:
        numbers = np.asarray(array)
    except ValueError as error:  # rows of different lengths
        raise ArrayShapeInvalid(f"{field} is no array: {error}", field=field) from error
    if numbers.dtype.kind not in "biuf":
        raise ArrayDtypeInvalid(
            f"{field} holds elements of dtype {numbers.dtype}; real numbers are needed.",
            field=field,
            metadata={"got": str(numbers.dtype)},
        )
    exact_in_float32 = np.can_cast(numbers.dtype, np.float32, casting="safe")
    return np.require(numbers, dtype="<f4" if exact_in_float32 else "<f8", requirements="C")


def to_tensor(array: ArrayLike, *, field: str) -> tensor_pb2.Tensor:
    """The array as it travels.

    Raises:
        ArrayDtypeInvalid: the elements are not real numbers.
    """
    numbers = as_floats(array, field=field)
    return tensor_pb2.Tensor(element_type=_ELEMENT_TYPES[numbers.dtype], shape=numbers.shape, data=numbers.tobytes())


def from_tensor(tensor: tensor_pb2.Tensor) -> types.FloatArray:
    """A writable array of its own. REQUIRES: the tensor came from the service, which checks its own."""
    flat = np.frombuffer(tensor.data, dtype=_ELEMENT_DTYPES[tensor.element_type])
    return flat.reshape(tuple(tensor.shape)).astype(flat.dtype.newbyteorder("="))


def to_duration(
    seconds: float,
    *,
    field: str,
    largest: float = _LARGEST_INTERVAL,
    refusal: type[PilothouseError] = IntervalInvalid,
) -> Duration:
    """Seconds as they travel.

    Raises:
        IntervalInvalid, or what `refusal` says: they are not finite, or more than `largest`.
    """
    if not abs(seconds) <= largest:
        raise refusal(
            f"{field} is at most {largest} seconds; got {seconds}.",
            field=field,
            metadata={"value": str(seconds)},
        )
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration


def to_datetime(message: Any, field: str) -> datetime | None:
    """A Timestamp field as a time in UTC, None if unset."""
    return getattr(message, field).ToDatetime(tzinfo=UTC) if message.HasField(field) else None


def to_state(run: run_pb2.Run, vector: types.FloatArray | None = None, model: ModelUsed | None = None) -> types.State:
    """A run with, where asked for, its state vector, and whose it is."""
    return types.State(
        run_id=run.run_id,
        status=enum_member(types.RunStatus, run_pb2.RunStatus, run.status),
        idle_reason=enum_member(types.IdleReason, run_pb2.IdleReason, run.idle_reason),
        status_message=run.status_message,
        batch=run.batch,
        target=run.target,
        resume_target=run.resume_target,
        loss=run.loss,
        eta=run.eta,
        knobs={knob.name: _to_knob(knob) for knob in run.knobs},
        facts=_to_facts(run.facts) if run.HasField("facts") else None,
        last_sequence=run.last_sequence,
        create_time=to_datetime(run, "create_time"),
        training_thread_seen_time=to_datetime(run, "training_thread_seen_time"),
        end_time=to_datetime(run, "end_time"),
        directory=run.directory,
        vector=vector,
        plugins=tuple(to_plugin_state(plugin) for plugin in run.plugins),
        parent=_to_lineage(run.parent) if run.HasField("parent") else None,
        branches=tuple(_to_branch(branch) for branch in run.branches),
        checkpoint_batch=run.checkpoint_batch if run.HasField("checkpoint_batch") else None,
        checkpoint_time=to_datetime(run, "checkpoint_time"),
        restarts=run.restarts,
        optimizer=_optimizer(run.spec.optimizer.kind) if run.HasField("spec") else "",
        eta_follows_schedule=run.eta_follows_schedule,
        eta_schedule=run.spec.eta_schedule,
        model=model,
    )


def _optimizer(kind: int) -> str:
    """Its name; what nothing says is gradient descent."""
    return enum_word(optimizer_pb2.OptimizerKind, kind or optimizer_pb2.OPTIMIZER_KIND_GRADIENT_DESCENT).lower()


def _to_lineage(lineage: checkpoint_pb2.Lineage) -> checkpoints.Lineage:
    return checkpoints.Lineage(lineage.run_id, lineage.batch, lineage.branch)


def _to_branch(branch: checkpoint_pb2.Branch) -> checkpoints.Branch:
    return checkpoints.Branch(branch.name, branch.from_batch, branch.through_batch, to_datetime(branch, "time"))


def to_checkpoint(
    checkpoint: checkpoint_pb2.Checkpoint, directory: Path, receipt: types.Receipt | None = None
) -> checkpoints.Checkpoint:
    """A checkpoint of the run that lives in `directory`."""
    return checkpoints.Checkpoint(
        batch=checkpoint.batch,
        file=checkpoint.file,
        sha256=checkpoint.sha256,
        bytes=checkpoint.bytes,
        state_sha256=checkpoint.state_sha256,
        pinned=checkpoint.pinned,
        validation_loss=checkpoint.validation_loss if checkpoint.HasField("validation_loss") else None,
        branch=checkpoint.branch,
        time=to_datetime(checkpoint, "time"),
        sequence=checkpoint.sequence,
        directory=directory,
        condition=enum_member(
            checkpoints.CheckpointCondition, checkpoint_pb2.CheckpointCondition, checkpoint.condition
        ),
        receipt=receipt,
    )


def _to_knob(knob: run_pb2.Knob) -> types.Knob:
    return types.Knob(
        knob.name, knob.value, knob.minimum, knob.maximum, knob.integer, knob.description, knob.follows_schedule
    )


def _to_facts(facts: run_pb2.RunFacts) -> types.Facts:
    layers = tuple(types.Layer(layer.description, layer.outputs, layer.parameters) for layer in facts.layers)
    return types.Facts(
        facts.examples,
        facts.inputs,
        facts.outputs,
        facts.parameters,
        facts.batches_per_epoch,
        layers,
        facts.validation_examples,
        facts.data_sha256,
        facts.test_examples,
        tuple(facts.input_names),
    )


def to_receipt(receipt: control_pb2.Receipt) -> types.Receipt:
    """The answer to a control."""
    return types.Receipt(
        receipt.control_id,
        receipt.request_id,
        receipt.applied_batch,
        receipt.value,
        to_datetime(receipt, "applied_time"),
        branch=receipt.branch,
    )


def to_plugin_receipt(receipt: control_pb2.Receipt) -> types.PluginReceipt:
    """The answer to a change of plugins."""
    return types.PluginReceipt(
        receipt.control_id,
        receipt.request_id,
        receipt.applied_batch,
        receipt.value,
        to_datetime(receipt, "applied_time"),
        receipt.plugin,
    )


def to_event(event: event_pb2.Event) -> events.JournaledEvent | None:
    """An event of the journal; None for a kind that only a newer service knows."""
    head = (event.sequence, event.batch, event.time.ToDatetime(tzinfo=UTC))
    match event.WhichOneof("kind"):
        case "loss":
            eta = event.loss.eta if event.loss.HasField("eta") else None
            return events.LossEvent(*head, event.loss.value, event.loss.at_target, eta)
        case "status":
            report = event.status
            return events.StatusEvent(
                *head,
                enum_member(types.RunStatus, run_pb2.RunStatus, report.status),
                enum_member(types.IdleReason, run_pb2.IdleReason, report.idle_reason),
                report.message,
                report.target,
                report.loss,
            )
        case "control":
            return _to_control(head, event.control)
        case "state":
            return events.StateEvent(
                *head, from_tensor(event.state.state), event.state.eta, event.state.loss, event.state.asked
            )
        case "plugin":
            return _to_plugin_event(head, event.plugin)
        case "checkpoint":
            return _to_checkpoint_event(head, event.checkpoint)
        case _:
            return None


def _to_plugin_event(
    head: tuple[int, int, datetime], report: plugin_pb2.PluginReport
) -> events.PluginEvent | events.PluginFailureEvent | None:
    match report.WhichOneof("report"):
        case "output":
            return events.PluginEvent(
                *head,
                report.plugin,
                report.kind,
                {value.name: value.value for value in report.output.values},
                {histogram.name: to_histogram(histogram) for histogram in report.output.histograms},
                report.output.message,
            )
        case "failure":
            failure = report.failure
            return events.PluginFailureEvent(
                *head,
                report.plugin,
                report.kind,
                failure.message,
                failure.failures_in_a_row,
                failure.detached,
                failure.paused,
            )
        case _:
            return None


def _to_checkpoint_event(head: tuple[int, int, datetime], report: event_pb2.CheckpointReport) -> events.CheckpointEvent:
    return events.CheckpointEvent(
        *head,
        report.batch,
        report.file,
        report.sha256,
        report.bytes,
        report.state_sha256,
        report.controls,
        report.line,
        report.pinned,
        report.request_id,
        report.error,
        report.held_up.ToNanoseconds() / 1e9,
        report.writing.ToNanoseconds() / 1e9,
        report.validation_loss if report.HasField("validation_loss") else None,
    )


_GOALS = {
    "batch": events.ControlKind.BATCH_TO,
    "more": events.ControlKind.TRAIN,
    "pause": events.ControlKind.PAUSE,
    "resume": events.ControlKind.RESUME,
}


def _to_control(head: tuple[int, int, datetime], report: event_pb2.ControlReport) -> events.ControlEvent:
    match report.change.WhichOneof("kind"):
        case "knob":
            kind, name = events.ControlKind.KNOB, report.change.knob.name
        case "target":
            goal = report.change.target.WhichOneof("goal") or ""
            kind, name = _GOALS.get(goal, events.ControlKind.UNSPECIFIED), "target"
        case "stop":
            kind, name = events.ControlKind.STOP, "stop"
        case "attach_plugin":
            kind, name = events.ControlKind.ATTACH_PLUGIN, report.plugin
        case "detach_plugin":
            kind, name = events.ControlKind.DETACH_PLUGIN, report.plugin
        case "reschedule_plugin":
            kind, name = events.ControlKind.RESCHEDULE_PLUGIN, report.plugin
        case "parameters":
            kind, name = events.ControlKind.PARAMETERS, "parameters"
        case "checkpoint":
            kind, name = events.ControlKind.CHECKPOINT, "checkpoint"
        case "rewind":
            kind, name = events.ControlKind.REWIND, "rewind"
        case _:
            kind, name = events.ControlKind.UNSPECIFIED, ""
    return events.ControlEvent(
        *head,
        kind,
        name,
        report.value,
        report.previous_value,
        report.request_id,
        report.origin,
        report.note,
        report.at_batch if report.HasField("at_batch") else None,
        report.plugin,
        report.branch,
        report.change.knob.follow_schedule,
    )


def to_heartbeat(heartbeat: Any) -> events.Heartbeat:
    """A heartbeat of a watch."""
    return events.Heartbeat(
        enum_member(types.RunStatus, run_pb2.RunStatus, heartbeat.status),
        heartbeat.batch,
        heartbeat.loss,
        to_datetime(heartbeat, "training_thread_seen_time"),
        heartbeat.time.ToDatetime(tzinfo=UTC),
    )
