"""A TrainingControl service in this process whose every answer is written down by the test.

It trains nothing: a test says which answers a method gives, one after the other, and reads which requests came. A
method that nothing was said about gives an answer that a well-behaved service could give.
"""

from __future__ import annotations

import concurrent.futures
import struct
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from pilothouse.v1 import (
    checkpoint_pb2,
    control_pb2,
    dataset_pb2,
    event_pb2,
    model_pb2,
    plugin_pb2,
    run_pb2,
    tensor_pb2,
)
from pilothouse.v1 import training_control_pb2 as pb
from pilothouse.v1 import training_control_pb2_grpc as pb_grpc

_WORKERS = 16


class Refusal(Exception):
    """Makes a method end with this status; with details where there is a reason.

    `raw_details` are bytes to send in their place.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str = "",
        text: str = "refused",
        field: str = "",
        *,
        raw_details: bytes | None = None,
        **metadata: str,
    ):
        super().__init__(text)
        self.raw_details = raw_details
        self.code, self.reason, self.text, self.field, self.metadata = code, reason, text, field, metadata

    def end(self, context: grpc.ServicerContext) -> Any:
        details = self.raw_details
        if details is None and self.reason:
            details = self._details().SerializeToString()
        if details is not None:
            context.set_trailing_metadata((("grpc-status-details-bin", details),))
        context.abort(self.code, self.text)

    def _details(self) -> status_pb2.Status:
        info = error_details_pb2.ErrorInfo(domain="pilothouse", reason=self.reason, metadata=self.metadata)
        request = error_details_pb2.BadRequest(
            field_violations=[error_details_pb2.BadRequest.FieldViolation(field=self.field, description=self.text)]
        )
        packed = [any_pb2.Any() for _ in range(2)]
        packed[0].Pack(info)
        packed[1].Pack(request)
        return status_pb2.Status(
            code=self.code.value[0], message=self.text, details=packed if self.field else packed[:1]
        )


def unavailable(reason: str = "") -> Refusal:
    """The service is away for a moment."""
    return Refusal(grpc.StatusCode.UNAVAILABLE, reason)


def journal_failed() -> Refusal:
    """What nobody asks again for."""
    return Refusal(grpc.StatusCode.INTERNAL, "JOURNAL_FAILED")


def loss(
    sequence: int,
    batch: int | None = None,
    value: float = 0.5,
    at_target: bool = False,
    eta: float | None = None,
) -> event_pb2.Event:
    """A loss event; its batch is ten times its sequence unless given. No eta: of an older trainer."""
    report = event_pb2.LossReport(value=value, at_target=at_target, eta=eta)
    return event_pb2.Event(sequence=sequence, batch=sequence * 10 if batch is None else batch, loss=report)


def status(sequence: int, name: str, batch: int = 0, idle: str = "UNSPECIFIED") -> event_pb2.Event:
    """A status event."""
    report = event_pb2.StatusReport(
        status=run_pb2.RunStatus.Value(f"RUN_STATUS_{name}"),
        idle_reason=run_pb2.IdleReason.Value(f"IDLE_REASON_{idle}"),
    )
    return event_pb2.Event(sequence=sequence, batch=batch, status=report)


def output(sequence: int, plugin: str, message: str = "", kind: str = "notify", **values: float) -> event_pb2.Event:
    """What a plugin reported; its batch is ten times its sequence."""
    named = [plugin_pb2.NamedValue(name=name, value=value) for name, value in values.items()]
    report = plugin_pb2.PluginReport(plugin=plugin, kind=kind)
    report.output.CopyFrom(plugin_pb2.PluginOutput(values=named, message=message))
    return event_pb2.Event(sequence=sequence, batch=sequence * 10, plugin=report)


def failure(sequence: int, plugin: str, in_a_row: int = 1, *, detached: bool = False) -> event_pb2.Event:
    """A failure of a plugin of kind notify."""
    report = plugin_pb2.PluginReport(plugin=plugin, kind="notify")
    report.failure.CopyFrom(
        plugin_pb2.PluginFailure(message="took too long", failures_in_a_row=in_a_row, detached=detached)
    )
    return event_pb2.Event(sequence=sequence, batch=sequence * 10, plugin=report)


def knob(
    sequence: int,
    name: str,
    value: float,
    previous: float,
    note: str = "",
    batch: int = 0,
    *,
    follow_schedule: bool = False,
) -> event_pb2.Event:
    """A control that set a knob, or lets eta follow its schedule, which gives the value."""
    asked = {"follow_schedule": True} if follow_schedule else {"value": value}
    change = control_pb2.Change(knob=control_pb2.KnobChange(name=name, **asked))
    report = event_pb2.ControlReport(
        change=change, value=value, previous_value=previous, origin="ana@lab", note=note, request_id="r"
    )
    return event_pb2.Event(sequence=sequence, batch=batch, control=report)


def rewind(sequence: int, batch: int, to: int, branch: str = "rewind-1") -> event_pb2.Event:
    """A control that took the run back from `batch`."""
    change = control_pb2.Change(rewind=control_pb2.RewindChange(batch=to))
    report = event_pb2.ControlReport(change=change, value=to, previous_value=batch, branch=branch)
    return event_pb2.Event(sequence=sequence, batch=batch, control=report)


def state_report(sequence: int, *vector: float, eta: float = 0.1) -> event_pb2.Event:
    """A state vector; its batch is ten times its sequence."""
    data = struct.pack(f"<{len(vector)}d", *vector)
    tensor = tensor_pb2.Tensor(element_type=tensor_pb2.ELEMENT_TYPE_FLOAT64, shape=[len(vector)], data=data)
    report = event_pb2.StateReport(state=tensor, eta=eta, loss=0.5)
    return event_pb2.Event(sequence=sequence, batch=sequence * 10, state=report)


def checkpoint_file(batch: int) -> str:
    return f"checkpoints/batch-{batch:012d}.safetensors"


def checkpoint(sequence: int, batch: int, error: str = "") -> event_pb2.Event:
    """A checkpoint that was written, or, with an error, could not be."""
    report = event_pb2.CheckpointReport(batch=batch, controls=2, line=1, error=error)
    report.held_up.FromMilliseconds(2)
    report.writing.FromMilliseconds(250)
    if not error:
        report.file, report.sha256, report.bytes, report.state_sha256 = checkpoint_file(batch), "ab", 900, "cd"
    return event_pb2.Event(sequence=sequence, batch=batch + 1, checkpoint=report)


def model_used(choice: model_pb2.ModelChoice, batch: int = 70) -> model_pb2.ModelUsed:
    """What a run that lives has used of what was asked for: its best are in a file, from batch 40."""
    if choice.saved_file:
        return model_pb2.ModelUsed(file=f"saved/{choice.saved_file}", batch=10)
    if choice.model == model_pb2.MODEL_BEST:
        return model_pb2.ModelUsed(model=model_pb2.MODEL_BEST, file="saved/best.safetensors", batch=40)
    return model_pb2.ModelUsed(model=model_pb2.MODEL_LAST, batch=batch)


def predicted(rows: int, used: model_pb2.ModelUsed) -> model_pb2.PredictResponse:
    """A network of one output that answers with 0."""
    outputs = tensor_pb2.Tensor(element_type=tensor_pb2.ELEMENT_TYPE_FLOAT64, shape=[rows, 1], data=b"\0" * 8 * rows)
    return model_pb2.PredictResponse(outputs=outputs, batch=used.batch, model=used)


def evaluated(used: model_pb2.ModelUsed, part: int = 1, **values: float) -> model_pb2.EvaluateResponse:
    """Scores of 60 examples. Points in their names are written as two underscores."""
    named = [plugin_pb2.NamedValue(name=name.replace("__", "."), value=value) for name, value in values.items()]
    return model_pb2.EvaluateResponse(part=part, model=used, examples=60, values=named)


def history_page(*content: event_pb2.Event, then: str = "") -> pb.ReadHistoryResponse:
    """A page of a history, and the token of the next."""
    return pb.ReadHistoryResponse(events=content, next_page_token=then)


def run_message(name: str = "IDLE", **fields: Any) -> run_pb2.Run:
    """A run without much in it."""
    fields.setdefault("run_id", "digits")
    fields.setdefault("facts", run_pb2.RunFacts(examples=4, inputs=2, outputs=1, parameters=9, batches_per_epoch=1))
    return run_pb2.Run(status=run_pb2.RunStatus.Value(f"RUN_STATUS_{name}"), **fields)


class Hold:
    """In the script of a watch, or as an answer: wait here until the test lets go, or the client does.

    What is answered then is `answer`, or what is usual.
    """

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.reached = threading.Event()
        self._go = threading.Event()

    def release(self) -> None:
        self._go.set()

    def wait(self, context: grpc.ServicerContext) -> None:
        context.add_callback(self._go.set)
        self.reached.set()
        self._go.wait(timeout=60)


class FakeService(pb_grpc.TrainingControlServicer):
    """Thread-safe. `answers[method]` is consumed from the front; `requests[method]` grows at the end."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Any]] = defaultdict(list)
        self.requests: dict[str, list[Any]] = defaultdict(list)
        self._lock = threading.Lock()
        self._server: grpc.Server | None = None
        self.port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serves; again on the same port after stop()."""
        options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 64 << 20)]
        executor = concurrent.futures.ThreadPoolExecutor(_WORKERS)
        self._server = grpc.server(executor, options=options)
        pb_grpc.add_TrainingControlServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def stop(self) -> None:
        """As a service that dies: connections break at once."""
        assert self._server is not None
        self._server.stop(grace=None).wait()

    def _answer(self, method: str, request: Any, context: grpc.ServicerContext, usual: Any) -> Any:
        with self._lock:
            self.requests[method].append(request)
            answer = self.answers[method].pop(0) if self.answers[method] else usual
        if isinstance(answer, Hold):
            answer.wait(context)
            answer = usual if answer.answer is None else answer.answer
        if isinstance(answer, Refusal):
            answer.end(context)
        return answer

    def _receipt(self, request: Any, value: float = 0.0, plugin: str = "") -> control_pb2.Receipt:
        return control_pb2.Receipt(
            control_id=7, request_id=request.options.request_id, applied_batch=70, value=value, plugin=plugin
        )

    def StartRun(self, request, context):
        run = run_message(run_id=request.run_id or "digits", spec=request.spec)
        run.facts.test_examples = int(request.spec.data.test_size != "")
        run.facts.validation_examples = int(request.spec.data.WhichOneof("validation") is not None)
        usual = pb.StartRunResponse(run=run)
        return self._answer("StartRun", request, context, usual)

    def ListRuns(self, request, context):
        return self._answer("ListRuns", request, context, pb.ListRunsResponse())

    def GetState(self, request, context):
        usual = pb.GetStateResponse(run=run_message(run_id=request.run_id))
        if request.HasField("model"):
            usual.model.CopyFrom(model_used(request.model))
        return self._answer("GetState", request, context, usual)

    def SetEta(self, request, context):
        usual = pb.SetEtaResponse(receipt=self._receipt(request, request.eta))
        return self._answer("SetEta", request, context, usual)

    def SetKnob(self, request, context):
        usual = pb.SetKnobResponse(receipt=self._receipt(request, request.value))
        return self._answer("SetKnob", request, context, usual)

    def BatchTo(self, request, context):
        usual = pb.BatchToResponse(receipt=self._receipt(request, request.target.batch))
        return self._answer("BatchTo", request, context, usual)

    def Stop(self, request, context):
        usual = pb.StopResponse(receipt=self._receipt(request, 70), final_batch=70, final_loss=0.25)
        return self._answer("Stop", request, context, usual)

    def AttachPlugin(self, request, context):
        receipt = self._receipt(request, 3, request.plugin.name or request.plugin.kind)
        return self._answer("AttachPlugin", request, context, pb.AttachPluginResponse(receipt=receipt))

    def DetachPlugin(self, request, context):
        usual = pb.DetachPluginResponse(receipt=self._receipt(request, 2, request.name))
        return self._answer("DetachPlugin", request, context, usual)

    def ReschedulePlugin(self, request, context):
        usual = pb.ReschedulePluginResponse(receipt=self._receipt(request, 3, request.name))
        return self._answer("ReschedulePlugin", request, context, usual)

    def ListPlugins(self, request, context):
        return self._answer("ListPlugins", request, context, pb.ListPluginsResponse())

    def ListPluginKinds(self, request, context):
        return self._answer("ListPluginKinds", request, context, pb.ListPluginKindsResponse())

    def SaveCheckpoint(self, request, context):
        made = checkpoint_pb2.Checkpoint(batch=70, file=checkpoint_file(70), sha256="ab", bytes=900, pinned=request.pin)
        usual = pb.SaveCheckpointResponse(receipt=self._receipt(request, 70), checkpoint=made)
        return self._answer("SaveCheckpoint", request, context, usual)

    def ListCheckpoints(self, request, context):
        return self._answer("ListCheckpoints", request, context, pb.ListCheckpointsResponse())

    def Rewind(self, request, context):
        receipt = self._receipt(request, request.batch)
        receipt.branch = request.branch or "rewind-1"
        return self._answer("Rewind", request, context, pb.RewindResponse(receipt=receipt))

    def Fork(self, request, context):
        parent = checkpoint_pb2.Lineage(run_id=request.run_id, batch=request.batch, branch=request.branch)
        run = run_message(run_id=request.new_run_id or "fork", parent=parent, directory="/data/runs/fork")
        return self._answer("Fork", request, context, pb.ForkResponse(run=run))

    def ReadHistory(self, request, context):
        return self._answer("ReadHistory", request, context, pb.ReadHistoryResponse())

    def UploadDataset(self, request_iterator, context):
        messages = list(request_iterator)
        total = sum(len(message.chunk.data) for message in messages)
        usual = dataset_pb2.UploadDatasetResponse(dataset_id="d-1", total_bytes=total, existed=False)
        return self._answer("UploadDataset", messages, context, usual)

    def Predict(self, request, context):
        rows = request.inputs.shape[0] if len(request.inputs.shape) == 2 else 1
        return self._answer("Predict", request, context, predicted(rows, model_used(request.model)))

    def Evaluate(self, request, context):
        usual = evaluated(model_used(request.model), request.part, loss=0.25)
        return self._answer("Evaluate", request, context, usual)

    def WatchTraining(self, request, context) -> Iterator[pb.WatchTrainingResponse]:
        usual = [pb.WatchTrainingResponse(snapshot=run_message())]
        for step in self._answer("WatchTraining", request, context, usual):
            if isinstance(step, Refusal):
                step.end(context)
            elif isinstance(step, Hold):
                step.wait(context)
            else:
                yield step
