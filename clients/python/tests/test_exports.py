"""What the package promises to have, frozen: a name may be added here, none may go."""

from __future__ import annotations

import re

import pilothouse
from pilothouse import errors
from pilothouse.v1 import error_reason_pb2, event_pb2, model_pb2, plugin_pb2, run_pb2, training_control_pb2

EXPORTS = """
Affine ArrayDtypeInvalid ArrayShapeInvalid BatchAlreadyPassed BatchNorm BatchOutOfRange Branch BranchAlreadyExists
BranchNotFound Checkpoint CheckpointCondition CheckpointDamaged CheckpointEvent Checkpoints CheckpointsInvalid
ColumnNotFound ControlEvent ControlKind DataChanged DataMalformed DataPart Dataset DatasetNotFound DatasetTooLarge
DeadlineExceeded Dropout EtaInvalid EtaScheduleInvalid Evaluation Event EventKind Facts FileNameInvalid FileNotFound
Gap Heartbeat Histogram History HistoryRangeInvalid House HouseClosed Identity IdleReason Internal IntervalInvalid
JournalFailed Knob KnobOutOfRange KnobUnknown LabelOutOfRange Layer LayerNorm Lineage LocalServiceFailed LossEvent
Losses Map MissingExtra Model ModelUsed NetDataMismatch NetInvalid NetLossMismatch NoParameters NoTestData
NoValidationData Optimizer PilothouseError Plugin PluginAlreadyExists PluginEvent PluginFailureEvent PluginFunction
PluginInvalid PluginKind PluginKindUnknown PluginNotFound PluginPoint PluginPointUnknown PluginReceipt
PluginSettingInfo PluginSettingInvalid PluginState Prediction Receipt RequestIdInvalid RequestIdReused RequestTooLarge
Run RunAlreadyExists RunEnded RunIdInvalid RunNotFound RunStatus SaveFailed ScheduleInvalid SequenceOutOfRange
ServiceBusy ServiceOutdated ServiceStopping Snapshot SpecInvalid State StateEvent StateTooLarge StatusEvent Stopped
TargetInvalid Timeline TooManyControls TooManyPlugins TooManyRuns TooManyWatchers TrainerFailed TrainerUnavailable
Unreachable Watch __version__ connect local
"""

# Which public calls reach each RPC.
CALLS = {
    "StartRun": ["House.start"],
    "ListRuns": ["House.runs", "connect"],
    "GetState": ["Run.state", "House.run", "Run.wait", "Run.rewind", "Run.fork"],
    "WatchTraining": ["Run.watch", "Run.wait", "Run.every"],
    "SetEta": ["Run.set_eta", "Run.follow_eta_schedule"],
    "SetKnob": ["Run.set"],
    "BatchTo": ["Run.batch_to", "Run.train", "Run.pause", "Run.resume"],
    "Stop": ["Run.stop"],
    "UploadDataset": ["House.upload", "House.start"],
    "Predict": ["Run.predict", "Run.prediction"],
    "Evaluate": ["Run.evaluate"],
    "AttachPlugin": ["Run.attach", "Run.every"],
    "DetachPlugin": ["Run.detach", "PluginFunction.detach"],
    "ReschedulePlugin": ["Run.reschedule"],
    "ListPlugins": ["Run.plugins", "PluginFunction.join"],
    "ListPluginKinds": ["House.plugin_kinds"],
    "SaveCheckpoint": ["Run.checkpoint"],
    "ListCheckpoints": ["Run.checkpoints"],
    "Rewind": ["Run.rewind"],
    "Fork": ["Run.fork"],
    "ReadHistory": ["Run.history", "Run.losses", "Run.export"],
}


def test_the_exports_are_the_frozen_list_and_all_exist():
    assert sorted(pilothouse.__all__) == sorted(EXPORTS.split())
    assert all(hasattr(pilothouse, name) for name in pilothouse.__all__)


def test_every_rpc_is_reachable_and_every_call_exists():
    methods = training_control_pb2.DESCRIPTOR.services_by_name["TrainingControl"].methods_by_name
    assert sorted(CALLS) == sorted(methods)
    for path in {path for paths in CALLS.values() for path in paths}:
        found = pilothouse
        for part in path.split("."):
            found = getattr(found, part)
        assert callable(found)


def test_every_error_reason_has_an_exception_class_named_after_it():
    reasons = {
        name.removeprefix("ERROR_REASON_") for name, number in error_reason_pb2.ErrorReason.items() if number != 0
    }
    assert set(errors.BY_REASON) == reasons
    for reason, kind in errors.BY_REASON.items():
        assert kind.__name__ == "".join(word.capitalize() for word in reason.split("_"))
        assert getattr(pilothouse, kind.__name__) is kind


def test_every_public_name_is_documented():
    classes = [getattr(pilothouse, name) for name in pilothouse.__all__ if isinstance(getattr(pilothouse, name), type)]
    members = [
        member
        for kind in classes
        for name, member in vars(kind).items()
        if callable(member) and not name.startswith("_")
    ]
    undocumented = [thing for thing in classes + members if not re.search(r"\w", thing.__doc__ or "")]
    assert undocumented == []


def test_every_member_of_the_protocols_enums_has_a_name_here():
    for ours, theirs in (
        (pilothouse.RunStatus, run_pb2.RunStatus),
        (pilothouse.IdleReason, run_pb2.IdleReason),
        (pilothouse.EventKind, event_pb2.EventKind),
        (pilothouse.Timeline, plugin_pb2.Timeline),
        (pilothouse.PluginPoint, plugin_pb2.PluginPoint),
        (pilothouse.Model, model_pb2.Model),
        (pilothouse.DataPart, model_pb2.DataPart),
    ):
        prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", theirs.DESCRIPTOR.name).upper() + "_"
        names = {name.removeprefix(prefix) for name, _ in theirs.items()}
        assert names - {"UNSPECIFIED"} == set(ours.__members__) - {"UNSPECIFIED"}
