"""Watch and steer neural-network training while it runs.

    import pilothouse

    house = pilothouse.connect("gpu-box:50051")      # or pilothouse.local() to start a service here
    run = house.start(net="64x128rx10", data=(X, y), loss="cross_entropy", eta=0.1, batch_size=32)
    run.batch_to(5000)
    receipt = run.set_eta(0.01)                       # receipt.applied_batch, receipt.value
    for event in run.watch():
        print(event)

Everything listed in __all__ is thread-safe unless it says otherwise, and nothing else is meant to be used. Messages for
the curious go to the logger "pilothouse".
"""

from importlib.metadata import version as _version

from pilothouse.errors import (
    ArrayDtypeInvalid,
    ArrayShapeInvalid,
    BatchAlreadyPassed,
    ColumnNotFound,
    DataMalformed,
    DatasetNotFound,
    DatasetTooLarge,
    DeadlineExceeded,
    EtaInvalid,
    FileNameInvalid,
    FileNotFound,
    HouseClosed,
    Internal,
    IntervalInvalid,
    JournalFailed,
    KnobOutOfRange,
    KnobUnknown,
    LabelOutOfRange,
    LocalServiceFailed,
    NetDataMismatch,
    NetInvalid,
    NetLossMismatch,
    NoParameters,
    PilothouseError,
    RequestIdInvalid,
    RequestIdReused,
    RequestTooLarge,
    RunAlreadyExists,
    RunEnded,
    RunIdInvalid,
    RunNotFound,
    SaveFailed,
    SequenceOutOfRange,
    ServiceBusy,
    ServiceStopping,
    SpecInvalid,
    StateTooLarge,
    TargetInvalid,
    TooManyControls,
    TooManyRuns,
    TooManyWatchers,
    TrainerFailed,
    TrainerUnavailable,
    Unreachable,
)
from pilothouse.events import (
    ControlEvent,
    ControlKind,
    Event,
    EventKind,
    Gap,
    Heartbeat,
    LossEvent,
    Snapshot,
    StateEvent,
    StatusEvent,
)
from pilothouse.house import House, connect
from pilothouse.local import local
from pilothouse.network import Affine, Identity, Map
from pilothouse.run import Run
from pilothouse.types import Dataset, Facts, IdleReason, Knob, Layer, Receipt, RunStatus, State, Stopped
from pilothouse.watch import Watch

__version__ = _version("pilothouse")

__all__ = [
    "Affine",
    "ArrayDtypeInvalid",
    "ArrayShapeInvalid",
    "BatchAlreadyPassed",
    "ColumnNotFound",
    "ControlEvent",
    "ControlKind",
    "DataMalformed",
    "Dataset",
    "DatasetNotFound",
    "DatasetTooLarge",
    "DeadlineExceeded",
    "EtaInvalid",
    "Event",
    "EventKind",
    "Facts",
    "FileNameInvalid",
    "FileNotFound",
    "Gap",
    "Heartbeat",
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
    "LocalServiceFailed",
    "LossEvent",
    "Map",
    "NetDataMismatch",
    "NetInvalid",
    "NetLossMismatch",
    "NoParameters",
    "PilothouseError",
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
    "SequenceOutOfRange",
    "ServiceBusy",
    "ServiceStopping",
    "Snapshot",
    "SpecInvalid",
    "State",
    "StateEvent",
    "StateTooLarge",
    "StatusEvent",
    "Stopped",
    "TargetInvalid",
    "TooManyControls",
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
