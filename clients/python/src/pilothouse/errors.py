"""What can go wrong: one exception class for each reason the service gives, and a few for what happens on this side.

Branch on the class (or on `reason`), never on the text:

    try:
        run.set_eta(0.01, at_batch=1000)
    except pilothouse.BatchAlreadyPassed as error:
        print("too late: the run is at batch", error.metadata["batch"])
"""

from __future__ import annotations

from collections.abc import Mapping

from pilothouse._error import PilothouseError as PilothouseError


class Unreachable(PilothouseError):
    """No service answers at the address, or the connection to it broke and did not come back in time."""


class DeadlineExceeded(PilothouseError):
    """The answer did not come within the timeout. A control may still take effect; metadata has its request_id."""


class HouseClosed(PilothouseError):
    """The House was closed, so it makes no more calls."""


class LocalServiceFailed(PilothouseError):
    """local() found no pilothoused to start, or the one it started ended at once. The text has its last log lines."""


class ServiceOutdated(PilothouseError):
    """The service is older than this package, and lacks what was asked of it; the text says what to do.

    Metadata: address, or, where a run was started otherwise than it was asked for, run_id.
    """


class MissingExtra(PilothouseError, ImportError):
    """A package that this needs is not installed; the text says how to install it. Metadata: package, extra."""


class RunNotFound(PilothouseError):
    """No run has this id. Metadata: run_id."""

    REASON = "RUN_NOT_FOUND"


class RunAlreadyExists(PilothouseError):
    """Another run has this id. Metadata: run_id."""

    REASON = "RUN_ALREADY_EXISTS"


class RunIdInvalid(PilothouseError):
    """A run id is [a-z0-9][a-z0-9-]{0,62}. Metadata: run_id."""

    REASON = "RUN_ID_INVALID"


class RunEnded(PilothouseError):
    """The run is STOPPED, COMPLETED or FAILED and takes no more controls. Metadata: run_id, status."""

    REASON = "RUN_ENDED"


class EtaInvalid(PilothouseError):
    """Eta must be finite and above 0. Metadata: value."""

    REASON = "ETA_INVALID"


class EtaScheduleInvalid(PilothouseError, ValueError):
    """An entry or a setting of an eta schedule cannot be read, or another knob than eta is to follow one."""

    REASON = "ETA_SCHEDULE_INVALID"


class KnobUnknown(PilothouseError):
    """This run declares no knob of that name. Metadata: name, known."""

    REASON = "KNOB_UNKNOWN"


class KnobOutOfRange(PilothouseError):
    """The value lies outside what the knob declares. Metadata: name, value, minimum, maximum."""

    REASON = "KNOB_OUT_OF_RANGE"


class TargetInvalid(PilothouseError):
    """A target is a whole number from 0 to 2^53. Metadata: value."""

    REASON = "TARGET_INVALID"


class BatchAlreadyPassed(PilothouseError):
    """The batch in at_batch lies behind the run. Metadata: at_batch, batch."""

    REASON = "BATCH_ALREADY_PASSED"


class RequestIdInvalid(PilothouseError):
    """A request_id has at most 128 printable ASCII characters; some beginnings are the service's own."""

    REASON = "REQUEST_ID_INVALID"


class RequestIdReused(PilothouseError):
    """This request_id was used before, for a different change. Metadata: request_id."""

    REASON = "REQUEST_ID_REUSED"


class NetInvalid(PilothouseError):
    """The network's description is malformed. Metadata: position (1-based character), where known."""

    REASON = "NET_INVALID"


class NetDataMismatch(PilothouseError):
    """The network's width does not fit the data. Metadata: expected, got."""

    REASON = "NET_DATA_MISMATCH"


class NetLossMismatch(PilothouseError):
    """The network's last layer does not go with the loss."""

    REASON = "NET_LOSS_MISMATCH"


class SpecInvalid(PilothouseError, ValueError):
    """Something in the run's description is missing, unknown or contradicts something else."""

    REASON = "SPEC_INVALID"


class DataMalformed(PilothouseError):
    """The data cannot be read as finite numbers. Metadata: line, column (1-based), where known."""

    REASON = "DATA_MALFORMED"


class ColumnNotFound(PilothouseError):
    """The table has no such column. Metadata: column, known."""

    REASON = "COLUMN_NOT_FOUND"


class ArrayShapeInvalid(PilothouseError):
    """An array has the wrong shape. Metadata: expected, got."""

    REASON = "ARRAY_SHAPE_INVALID"


class ArrayDtypeInvalid(PilothouseError):
    """An array's element type is not supported. Metadata: got."""

    REASON = "ARRAY_DTYPE_INVALID"


class LabelOutOfRange(PilothouseError):
    """A class label lies outside 0 … outputs − 1. Metadata: row, label, outputs."""

    REASON = "LABEL_OUT_OF_RANGE"


class DatasetNotFound(PilothouseError):
    """The service holds no such dataset. Metadata: dataset_id."""

    REASON = "DATASET_NOT_FOUND"


class DatasetTooLarge(PilothouseError):
    """The dataset is larger than the service takes, or needs more memory than the trainer can have.

    The sentence says which, and what to do. Metadata: limit_bytes.
    """

    REASON = "DATASET_TOO_LARGE"


class FileNotFound(PilothouseError):
    """No such file below the service's folder of data files. Metadata: file."""

    REASON = "FILE_NOT_FOUND"


class FileNameInvalid(PilothouseError):
    """A file of the service is named by a path relative to its folder of data files, without "..". Metadata: file."""

    REASON = "FILE_NAME_INVALID"


class RequestTooLarge(PilothouseError):
    """The request is larger than the service takes. Metadata: limit_bytes, where known."""

    REASON = "REQUEST_TOO_LARGE"


class TooManyRuns(PilothouseError):
    """As many runs are alive as the service allows. Metadata: limit."""

    REASON = "TOO_MANY_RUNS"


class TooManyControls(PilothouseError):
    """As many controls wait for this run as it can hold; try again shortly. Metadata: limit."""

    REASON = "TOO_MANY_CONTROLS"


class TooManyWatchers(PilothouseError):
    """As many watchers are connected as the service allows. Metadata: limit."""

    REASON = "TOO_MANY_WATCHERS"


class ServiceBusy(PilothouseError):
    """The service has as much to do as it takes on at once; try again shortly. Metadata: limit."""

    REASON = "SERVICE_BUSY"


class SequenceOutOfRange(PilothouseError):
    """The after_sequence lies beyond the run's last event. Metadata: after_sequence, last_sequence."""

    REASON = "SEQUENCE_OUT_OF_RANGE"


class StateTooLarge(PilothouseError):
    """The state vector is larger than a message or an event may be. Metadata: parameters, limit."""

    REASON = "STATE_TOO_LARGE"


class NoParameters(PilothouseError):
    """The run has not saved the parameters that are asked for, so it can predict nothing with them."""

    REASON = "NO_PARAMETERS"


class IntervalInvalid(PilothouseError):
    """An interval lies outside its range. Metadata: value."""

    REASON = "INTERVAL_INVALID"


class TrainerUnavailable(PilothouseError):
    """The run has no trainer just now (it is STARTING or LOST); try again. Metadata: run_id, status."""

    REASON = "TRAINER_UNAVAILABLE"


class TrainerFailed(PilothouseError):
    """The trainer ended or could not be started. Metadata: exit, log (its last lines)."""

    REASON = "TRAINER_FAILED"


class JournalFailed(PilothouseError):
    """The run's journal cannot be written, so nothing can be acknowledged. Metadata: cause."""

    REASON = "JOURNAL_FAILED"


class ServiceStopping(PilothouseError):
    """The service is shutting down."""

    REASON = "SERVICE_STOPPING"


class Internal(PilothouseError):
    """A fault of the service itself; its log says more."""

    REASON = "INTERNAL"


class SaveFailed(PilothouseError):
    """Parameters or a checkpoint cannot be written; the run was not stopped and goes on. Metadata: cause."""

    REASON = "SAVE_FAILED"


class PluginNotFound(PilothouseError):
    """The run has no plugin of this name. Metadata: name, known."""

    REASON = "PLUGIN_NOT_FOUND"


class PluginAlreadyExists(PilothouseError):
    """The run has a plugin of this name already. Metadata: name."""

    REASON = "PLUGIN_ALREADY_EXISTS"


class PluginKindUnknown(PilothouseError):
    """There is no such kind of plugin. Metadata: kind; known, where the service says so."""

    REASON = "PLUGIN_KIND_UNKNOWN"


class PluginPointUnknown(PilothouseError):
    """There is no such point in the life of a run. Metadata: point, known."""

    REASON = "PLUGIN_POINT_UNKNOWN"


class PluginSettingInvalid(PilothouseError):
    """A plugin's setting is unknown, missing, malformed or outside its range. Metadata: setting, value, known."""

    REASON = "PLUGIN_SETTING_INVALID"


class ScheduleInvalid(PilothouseError):
    """The schedule cannot be read, or never comes. Metadata: schedule, position (1-based character), where known."""

    REASON = "SCHEDULE_INVALID"


class PluginInvalid(PilothouseError):
    """A plugin's name or one of its numbers is outside its range, or it is the run's own. Metadata: value."""

    REASON = "PLUGIN_INVALID"


class TooManyPlugins(PilothouseError):
    """As many plugins are attached as a run may have. Metadata: limit."""

    REASON = "TOO_MANY_PLUGINS"


class NoValidationData(PilothouseError):
    """The run holds no examples out, so nothing can be validated: start it with `validation`."""

    REASON = "NO_VALIDATION_DATA"


class NoTestData(PilothouseError):
    """The run keeps no examples for the end, so nothing can be tested: start it with `test`."""

    REASON = "NO_TEST_DATA"


class BatchOutOfRange(PilothouseError):
    """The run has not come to this batch on this branch, or begins after. Metadata: batch, first_batch, last_batch."""

    REASON = "BATCH_OUT_OF_RANGE"


class BranchNotFound(PilothouseError):
    """The run has no branch of this name. Metadata: branch, known."""

    REASON = "BRANCH_NOT_FOUND"


class BranchAlreadyExists(PilothouseError):
    """The run has a branch of this name already. Metadata: branch."""

    REASON = "BRANCH_ALREADY_EXISTS"


class DataChanged(PilothouseError):
    """The data are not those the run was started with, so it cannot go on. Metadata: expected, found."""

    REASON = "DATA_CHANGED"


class CheckpointDamaged(PilothouseError):
    """A checkpoint is missing or damaged: the one asked for, or all that could do. Metadata: file, cause."""

    REASON = "CHECKPOINT_DAMAGED"


class CheckpointsInvalid(PilothouseError):
    """A number of Checkpoints lies outside its range. Metadata: value."""

    REASON = "CHECKPOINTS_INVALID"


class HistoryRangeInvalid(PilothouseError):
    """A range of batches or a number of points makes no sense. Metadata: value."""

    REASON = "HISTORY_RANGE_INVALID"


#: The class of each reason.
BY_REASON: Mapping[str, type[PilothouseError]] = {
    kind.REASON: kind for kind in PilothouseError.__subclasses__() if kind.REASON
}

__all__ = ["PilothouseError", *(kind.__name__ for kind in PilothouseError.__subclasses__())]
