"""Watch and steer neural-network training while it runs.

    import pilothouse

    house = pilothouse.connect("gpu-box:50051")      # or pilothouse.local() to start a service here
    run = house.start(net="64x128rx10", data=(X, y), loss="cross_entropy", eta=0.1, batch_size=32)
    run.batch_to(5000)
    receipt = run.set_eta(0.01)                       # receipt.applied_batch, receipt.value
    for event in run.watch():
        print(event)

Plugins run between two batches of a run, on the schedule they are given; functions of this process, beside it:

    run = house.start(..., validation=0.2, plugins=["validate"])    # print(*house.plugin_kinds()) tells what there is
    run.attach("early-stopping", patience=5)

    @run.every("each(500)", values=("loss", "eta"))
    def look(event, run):
        print(event.batch, event.values)

    for plugin in run.plugins():
        print(plugin)                                 # when it ran last, and when it is next due

Examples are held out, and kept for the end, and so are the best parameters:

    run = house.start(..., validation="20%", test=0.1, split="stratified", plugins=["validate", "save-best"])
    run.predict(X, model="best")
    print(run.evaluate(model="best").accuracy)        # on what test=0.1 has kept for the end

Nothing is lost: a run goes on from its checkpoints, can be taken back, and forked:

    run.rewind(4000)                                  # what came after is kept as a branch
    other = run.fork(at=3000, eta=0.003)
    batches, losses = run.losses(points=2000)
    run.history().frame()                             # a pandas DataFrame; run.export("digits.csv") writes a file

Everything listed in __all__ is thread-safe unless it says otherwise, and nothing else is meant to be used. Messages for
the curious go to the logger "pilothouse".
"""

from importlib.metadata import version as _version

from pilothouse.checkpoints import Branch, Checkpoint, CheckpointCondition, Checkpoints, Lineage
from pilothouse.errors import (
    ArrayDtypeInvalid,
    ArrayShapeInvalid,
    BatchAlreadyPassed,
    BatchOutOfRange,
    BranchAlreadyExists,
    BranchNotFound,
    CheckpointDamaged,
    CheckpointsInvalid,
    ColumnNotFound,
    DataChanged,
    DataMalformed,
    DatasetNotFound,
    DatasetTooLarge,
    DeadlineExceeded,
    EtaInvalid,
    EtaScheduleInvalid,
    FileNameInvalid,
    FileNotFound,
    HistoryRangeInvalid,
    HouseClosed,
    Internal,
    IntervalInvalid,
    JournalFailed,
    KnobOutOfRange,
    KnobUnknown,
    LabelOutOfRange,
    LocalServiceFailed,
    MissingExtra,
    NetDataMismatch,
    NetInvalid,
    NetLossMismatch,
    NoParameters,
    NoTestData,
    NoValidationData,
    PilothouseError,
    PluginAlreadyExists,
    PluginInvalid,
    PluginKindUnknown,
    PluginNotFound,
    PluginPointUnknown,
    PluginSettingInvalid,
    RequestIdInvalid,
    RequestIdReused,
    RequestTooLarge,
    RunAlreadyExists,
    RunEnded,
    RunIdInvalid,
    RunNotFound,
    SaveFailed,
    ScheduleInvalid,
    SequenceOutOfRange,
    ServiceBusy,
    ServiceOutdated,
    ServiceStopping,
    SpecInvalid,
    StateTooLarge,
    TargetInvalid,
    TooManyControls,
    TooManyPlugins,
    TooManyRuns,
    TooManyWatchers,
    TrainerFailed,
    TrainerUnavailable,
    Unreachable,
)
from pilothouse.events import (
    CheckpointEvent,
    ControlEvent,
    ControlKind,
    Event,
    EventKind,
    Gap,
    Heartbeat,
    LossEvent,
    PluginEvent,
    PluginFailureEvent,
    Snapshot,
    StateEvent,
    StatusEvent,
)
from pilothouse.functions import PluginFunction
from pilothouse.history import History, Losses
from pilothouse.house import House, connect
from pilothouse.local import local
from pilothouse.models import DataPart, Evaluation, Model, ModelUsed, Prediction
from pilothouse.network import Affine, BatchNorm, Dropout, Identity, LayerNorm, Map
from pilothouse.optimizer import Optimizer
from pilothouse.plugins import (
    Histogram,
    Plugin,
    PluginKind,
    PluginPoint,
    PluginSettingInfo,
    PluginState,
    Timeline,
)
from pilothouse.run import Run
from pilothouse.types import Dataset, Facts, IdleReason, Knob, Layer, PluginReceipt, Receipt, RunStatus, State, Stopped
from pilothouse.watch import Watch

__version__ = _version("pilothouse")

__all__ = [
    "Affine",
    "ArrayDtypeInvalid",
    "ArrayShapeInvalid",
    "BatchAlreadyPassed",
    "BatchNorm",
    "BatchOutOfRange",
    "Branch",
    "BranchAlreadyExists",
    "BranchNotFound",
    "Checkpoint",
    "CheckpointCondition",
    "CheckpointDamaged",
    "CheckpointEvent",
    "Checkpoints",
    "CheckpointsInvalid",
    "ColumnNotFound",
    "ControlEvent",
    "ControlKind",
    "DataChanged",
    "DataMalformed",
    "DataPart",
    "Dataset",
    "DatasetNotFound",
    "DatasetTooLarge",
    "DeadlineExceeded",
    "Dropout",
    "EtaInvalid",
    "EtaScheduleInvalid",
    "Evaluation",
    "Event",
    "EventKind",
    "Facts",
    "FileNameInvalid",
    "FileNotFound",
    "Gap",
    "Heartbeat",
    "Histogram",
    "History",
    "HistoryRangeInvalid",
    "House",
    "HouseClosed",
    "Identity",
    "IdleReason",
    "Internal",
    "IntervalInvalid",
    "JournalFailed",
    "Knob",
    "KnobOutOfRange",
    "KnobUnknown",
    "LabelOutOfRange",
    "Layer",
    "LayerNorm",
    "Lineage",
    "LocalServiceFailed",
    "LossEvent",
    "Losses",
    "Map",
    "MissingExtra",
    "Model",
    "ModelUsed",
    "NetDataMismatch",
    "NetInvalid",
    "NetLossMismatch",
    "NoParameters",
    "NoTestData",
    "NoValidationData",
    "Optimizer",
    "PilothouseError",
    "Plugin",
    "PluginAlreadyExists",
    "PluginEvent",
    "PluginFailureEvent",
    "PluginFunction",
    "PluginInvalid",
    "PluginKind",
    "PluginKindUnknown",
    "PluginNotFound",
    "PluginPoint",
    "PluginPointUnknown",
    "PluginReceipt",
    "PluginSettingInfo",
    "PluginSettingInvalid",
    "PluginState",
    "Prediction",
    "Receipt",
    "RequestIdInvalid",
    "RequestIdReused",
    "RequestTooLarge",
    "Run",
    "RunAlreadyExists",
    "RunEnded",
    "RunIdInvalid",
    "RunNotFound",
    "RunStatus",
    "SaveFailed",
    "ScheduleInvalid",
    "SequenceOutOfRange",
    "ServiceBusy",
    "ServiceOutdated",
    "ServiceStopping",
    "Snapshot",
    "SpecInvalid",
    "State",
    "StateEvent",
    "StateTooLarge",
    "StatusEvent",
    "Stopped",
    "TargetInvalid",
    "Timeline",
    "TooManyControls",
    "TooManyPlugins",
    "TooManyRuns",
    "TooManyWatchers",
    "TrainerFailed",
    "TrainerUnavailable",
    "Unreachable",
    "Watch",
    "__version__",
    "connect",
    "local",
]
