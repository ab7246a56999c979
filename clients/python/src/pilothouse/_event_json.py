"""Events as JSON objects, in the words of `pilot watch --json`. Pure functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pilothouse._convert import from_tensor
from pilothouse._names import enum_word
from pilothouse.v1 import control_pb2, event_pb2, plugin_pb2, run_pb2


def json_number(value: float) -> float | str:
    """The number; as text where JSON cannot hold it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def event_json(event: event_pb2.Event) -> dict[str, Any]:
    """All that is known of the event."""
    kind = event.WhichOneof("kind")
    head = {
        "type": kind or "unknown",
        "sequence": event.sequence,
        "batch": event.batch,
        "time": event.time.ToJsonString(),
    }
    match kind:
        case "loss":
            return {**head, **_loss_report(event.loss)}
        case "status":
            return {**head, **_status(event.status)}
        case "control":
            return {**head, **_control(event.control)}
        case "state":
            return {**head, **_state(event.state)}
        case "plugin":
            return {**head, **_plugin(event.plugin)}
        case "checkpoint":
            return {**head, **_checkpoint(event.checkpoint)}
        case _:
            return head


def _loss_report(report: event_pb2.LossReport) -> dict[str, Any]:
    return {
        "value": json_number(report.value),
        "at_target": report.at_target,
        "eta": json_number(report.eta) if report.HasField("eta") else None,
    }


def _status(report: event_pb2.StatusReport) -> dict[str, Any]:
    return {
        "status": enum_word(run_pb2.RunStatus, report.status),
        "idle_reason": enum_word(run_pb2.IdleReason, report.idle_reason),
        "message": report.message,
        "target": report.target,
        "loss": _loss(report.loss),
    }


def _loss(value: float) -> float | str | None:
    """None: no batch was trained yet, which travels as -1."""
    return None if value == -1 else json_number(value)


def _control(report: event_pb2.ControlReport) -> dict[str, Any]:
    change = report.change
    kind = change.WhichOneof("kind") or "target"
    return {
        "control": kind,
        "name": change.knob.name if kind == "knob" else report.plugin or None,
        "value": json_number(report.value),
        "previous_value": json_number(report.previous_value),
        "origin": report.origin,
        "note": report.note,
        "request_id": report.request_id,
        "at_batch": report.at_batch if report.HasField("at_batch") else None,
        **_change(kind, change, report.branch),
    }


def _change(kind: str, change: control_pb2.Change, branch: str) -> dict[str, Any]:
    """What only changes of this kind have."""
    match kind:
        case "knob":
            return {"follow_schedule": change.knob.follow_schedule}
        case "attach_plugin":
            return {"spec": _spec(change.attach_plugin.plugin)}
        case "reschedule_plugin":
            asked = change.reschedule_plugin
            return {"schedule": asked.schedule, "timeline": _word(plugin_pb2.Timeline, asked.timeline)}
        case "parameters":
            parameters = change.parameters
            names = ("file", "sha256", "from_run_id", "from_batch")
            return {name: getattr(parameters, name) for name in names}
        case "checkpoint":
            return {"pin": change.checkpoint.pin}
        case "rewind":
            return {"branch": branch}
        case _:
            return {}


def _spec(spec: plugin_pb2.PluginSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "kind": spec.kind,
        "schedule": spec.schedule,
        "timeline": _word(plugin_pb2.Timeline, spec.timeline),
        "point": _word(plugin_pb2.PluginPoint, spec.point),
        "settings": dict(sorted(spec.settings.items())),
        "priority": spec.priority if spec.HasField("priority") else None,
        "required": spec.required if spec.HasField("required") else None,
        "allowance_seconds": _seconds(spec.allowance) if spec.HasField("allowance") else None,
        "max_failures": spec.max_failures or None,
    }


def _state(report: event_pb2.StateReport) -> dict[str, Any]:
    return {
        "state": [json_number(number) for number in numbers(report)],
        "eta": json_number(report.eta),
        "loss": _loss(report.loss),
        "asked": report.asked,
    }


def numbers(report: event_pb2.StateReport) -> list[float]:
    """The state vector."""
    vector: list[float] = from_tensor(report.state).astype(np.float64).tolist()
    return vector


def _plugin(report: plugin_pb2.PluginReport) -> dict[str, Any]:
    failure = report.failure
    names = ("message", "failures_in_a_row", "detached", "paused")
    return {
        "plugin": report.plugin,
        "kind": report.kind,
        "values": {value.name: json_number(value.value) for value in report.output.values},
        "histograms": [
            {
                "name": histogram.name,
                "minimum": json_number(histogram.minimum),
                "maximum": json_number(histogram.maximum),
                "counts": list(histogram.counts),
            }
            for histogram in report.output.histograms
        ],
        "message": report.output.message,
        "failure": {name: getattr(failure, name) for name in names} if report.HasField("failure") else None,
    }


def _checkpoint(report: event_pb2.CheckpointReport) -> dict[str, Any]:
    return {
        "checkpoint_batch": report.batch,
        "file": report.file,
        "sha256": report.sha256,
        "bytes": report.bytes,
        "state_sha256": report.state_sha256,
        "controls": report.controls,
        "line": report.line,
        "pinned": report.pinned,
        "request_id": report.request_id,
        "error": report.error,
        "held_up_seconds": _seconds(report.held_up),
        "writing_seconds": _seconds(report.writing),
        "validation_loss": json_number(report.validation_loss) if report.HasField("validation_loss") else None,
    }


def _seconds(duration: Any) -> float:
    nanoseconds: int = duration.ToNanoseconds()
    return nanoseconds / 1e9


def _word(proto_enum: Any, number: int) -> str:
    return enum_word(proto_enum, number).lower()
