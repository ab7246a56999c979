"""The connection to a service: starting runs and finding them."""

from __future__ import annotations

import getpass
import os
import socket
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
from numpy.typing import ArrayLike

from pilothouse._arrays import ArrayData
from pilothouse._connection import LARGEST_ORIGIN_BYTES, Connection
from pilothouse._convert import to_state, to_tensor
from pilothouse._data_spec import data_spec
from pilothouse._names import enum_number
from pilothouse._numbers import real, whole
from pilothouse._outdated import check_parts
from pilothouse._plugins import to_plugin_kind, to_specs
from pilothouse._spec import checkpoint_spec, report_spec, seed_number, set_batch_size, thread_count
from pilothouse._upload import Progress, check_takes_no_weights, upload
from pilothouse.checkpoints import Checkpoints
from pilothouse.errors import PilothouseError, Unreachable
from pilothouse.network import Net, network_spec
from pilothouse.optimizer import Optimizer, optimizer_spec
from pilothouse.plugins import Plugin, PluginKind
from pilothouse.run import Run
from pilothouse.types import Dataset, State
from pilothouse.v1 import run_pb2
from pilothouse.v1 import training_control_pb2 as pb

__all__ = ["House", "connect"]

DEFAULT_ADDRESS = "localhost:50051"
ADDRESS_VARIABLE = "PILOTHOUSE_ADDRESS"

_PAGE_SIZE = 1000

#: Where examples come from: arrays; a local file, as a Path; a file of the service, as a str; what House.upload()
#: returned.
Data = ArrayData | Path | str | Dataset


def connect(address: str | None = None, *, timeout: float = 30.0) -> House:
    """Connects to a running service, and makes sure that it is there.

    Args:
        address: "host:port", or "unix:/path". Default: $PILOTHOUSE_ADDRESS, else "localhost:50051".
        timeout: seconds that each call may take unless it names its own.

    Raises:
        Unreachable: no service answers there.
    """
    return open_house(address or os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS, timeout)


def open_house(address: str, timeout: float, on_close: Callable[[], None] | None = None) -> House:
    """A connection that was tried out. `on_close` is called once it has been closed, and also if it fails.

    Raises:
        Unreachable: no service answers there.
    """
    house = House(Connection(address, timeout, _origin()), on_close)
    try:
        house._check_reachable()
    except BaseException:
        house.close()
        raise
    return house


class House:
    """A connection to a service; make one with connect() or local(). A context manager.

    Thread-safe. It is not usable in a child made by os.fork(), and gRPC does not support forking while a House is open:
    start worker processes with the "spawn" method, or before connecting.
    """

    def __init__(self, connection: Connection, on_close: Callable[[], None] | None = None) -> None:
        """Use connect() or local(). `on_close` is called once, after the connection has been closed."""
        self._connection = connection
        self._on_close = on_close

    @property
    def address(self) -> str:
        """Where the service is; give it to `pilot --address`."""
        return self._connection.address

    def close(self) -> None:
        """Closes the connection; its watches end, and functions of Run.every() are detached.

        Runs go on, but for those of local(). May be called again.
        """
        self._connection.close()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<pilothouse.House at {self.address}{', closed' if self._connection.closed else ''}>"

    def start(
        self,
        *,
        net: Net,
        data: Data,
        loss: str,
        eta: float | None = None,
        eta_schedule: str = "",
        optimizer: Optimizer | str | None = None,
        batch_size: int | str | None = None,
        weights: ArrayLike | None = None,
        target_columns: Iterable[str | int] | None = None,
        weight_column: str | int | None = None,
        ignored_columns: Iterable[str | int] | None = None,
        standardize: bool = False,
        precision: str = "float32",
        seed: int = 0,
        initializer: str | None = None,
        initial_state: ArrayLike | None = None,
        keep_order: bool = False,
        loss_interval: float | None = None,
        loss_every: int | None = None,
        state_every: int | None = None,
        validation: int | float | str | None = None,
        test: int | float | str | None = None,
        split: str | None = None,
        split_seed: int = 0,
        threads: int = 1,
        plugins: Iterable[Plugin | str] = (),
        checkpoints: Checkpoints | None = None,
        batch_to: int | None = None,
        run_id: str | None = None,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> Run:
        """Starts a run in a process of its own. Returns when it has read its data and built its network.

        Args:
            net: widths separated by "x", each but the first followed by the letter of its activation (t tanh, r ReLU,
                s sigmoid, g GELU, l leaky ReLU, u SiLU, p softplus, none: linear; before that letter n is a layer
                norm and b a batch norm; d0.5 after it is dropout), as in "64x128rx10"; or a list of Affine, Identity,
                Map, LayerNorm, BatchNorm and Dropout.
            data: a pair of arrays (X, y): X of shape (examples, inputs), y of shape (examples,) for class labels or a
                single output, else (examples, outputs); or (X, y, weights); or a mapping with these arrays as "inputs",
                "targets" and "weights", such as numpy.load("file.npz"); or a pathlib.Path of a local file, which is
                uploaded: a table as CSV, as TSV (named *.tsv or *.tab) or as NPY, or an NPZ file with arrays of those
                names; or a str that names such a file in the service's folder of data files; or a Dataset.
            loss: "cross_entropy", "binary_cross_entropy", "mse" (mean over all elements), "half_mse" (half the
                squares, summed over outputs, averaged over examples) or "huber" (mean over all elements of half the
                square of an error up to 1, and of the error less 1/2 beyond).
            eta: learning rate, finite and above 0. Default: as is usual for the optimizer, 0.1 for gradient descent.
            eta_schedule: how eta changes with t, the epochs completed, from `eta` on:
                "50,0.01;70,0.005": 0.01 from epoch 50 on, 0.005 from 70 on;
                "exponential factor=0.95 [every=1]": eta·factor^(t/every);
                "cosine over=100 [warmup=0] [final=eta/1000]": rises until `warmup`, falls to `final` at `over`;
                "one-cycle over=100 [rise=0.3] [start=25] [end=10000]": rises from eta/start to eta until rise·over,
                falls to eta/start/end at `over`.
                What is in brackets may be left out; "unit=batches" behind any of them counts batches. Whoever sets eta
                overrides it, until follow_eta_schedule(). Default: constant.
            optimizer: how parameters are updated: Optimizer("adam", beta1=0.95), or the same as text,
                "adam beta1=0.95". Its settings are knobs. Default: "gradient_descent".
            batch_size: examples per batch, or "full" for all of them in their order. Default: 32, or all where there
                are fewer. With batch norms no batch may be of one example only.
            weights: of arrays (X, y): one for each example, finite and 0 or more. An example of weight 2 counts in
                losses, scores and standardisation as if it were there twice, one of 0 as if it were not there.
            target_columns: of tables: the columns that are targets, by name or by number from 1, negative numbers from
                the end. Default: the last that is neither the weight nor ignored.
            weight_column: of tables: the column that holds the weights, named likewise; it is no input.
            ignored_columns: of tables: columns not to learn from, named likewise. In CSV and TSV they may hold
                text, where there is a first line of names.
            standardize: shift and scale every input to mean 0 and standard deviation 1; predict() does the same.
            precision: "float32" or "float64".
            seed: of all random draws but which examples are held out, 0 to 2^64 − 1.
            initializer: of affine layers: "scaled" (the default: "he" before ReLU, leaky ReLU, GELU, SiLU and softplus,
                else "glorot"), "normal" (all standard normal), "glorot" or "he" (weights normal with variance
                2/(inputs + outputs) or 2/inputs, biases 0) or "zeros".
            initial_state: all parameters as a state vector (see State.vector) instead of drawn ones.
            keep_order: take the examples in their order instead of in a new random order each epoch.
            loss_interval: least seconds between two reports of a changing loss, 0 to 3,600. Default 0.05.
            loss_every: report the loss of every n-th batch besides.
            state_every: report the state vector at every n-th batch (at most 65,536 parameters).
            validation: examples to hold out, which the network never learns from and plugins of kind "validate"
                measure it on: a part of all (0.2 or "20%", taken in exact decimals and rounded to the nearest number of
                examples, halves upwards) or so many (300). Default: none.
            test: examples to keep for the end, written likewise, which nothing in the run sees: evaluate() scores
                them. Default: none.
            split: which examples these are. "random": drawn, the same whatever the seed. "tail": the last ones, those
                for the test behind those for validation. "stratified": drawn so that each part has as many of each
                class as there should be of it. Default: "random", or with keep_order "tail".
            split_seed: decides which examples are drawn, 0 to 2^64 − 1.
            threads: that compute, 1 to 64. No bit of any result depends on it.
            plugins: attached when the run starts, in this order: Plugin, or the name of a kind; at most 256.
            checkpoints: when to make checkpoints, and which to keep. Default: Checkpoints(), at most one a minute.
            batch_to: the batch to train up to at once. Default: 0, idle until told.
            run_id: name of the run, [a-z0-9][a-z0-9-]{0,62}. Default: the service makes one up.
            progress: of an upload, as in upload().
            timeout: seconds for the start, and for an upload before it. Default: the House's.

        Raises:
            NetInvalid, NetDataMismatch, NetLossMismatch, SpecInvalid, EtaInvalid, EtaScheduleInvalid, KnobOutOfRange,
                TargetInvalid: the description.
            ArrayShapeInvalid, ArrayDtypeInvalid, DataMalformed, LabelOutOfRange, ColumnNotFound, DatasetTooLarge,
            DatasetNotFound, FileNotFound, FileNameInvalid: the data.
            PluginKindUnknown, PluginSettingInvalid, ScheduleInvalid, PluginInvalid, PluginAlreadyExists,
            TooManyPlugins, NoValidationData: the plugins.
            CheckpointsInvalid: a number of the checkpoints.
            ServiceOutdated: the service is too old to hold out a part as it was asked to. The run, which the text and
                the metadata run_id name, was started without it.
            RunAlreadyExists, RunIdInvalid, TooManyRuns, TrainerFailed, Unreachable, DeadlineExceeded.
        """
        network = network_spec(net)
        if initializer is not None:
            network.initializer = enum_number(run_pb2.Initializer, initializer, field="spec.network.initializer")
        if initial_state is not None:
            network.initial_state.CopyFrom(to_tensor(initial_state, field="spec.network.initial_state"))
        spec = run_pb2.RunSpec(
            network=network,
            loss=enum_number(run_pb2.LossFunction, loss, field="spec.loss"),
            eta=None if eta is None else real(eta, "eta"),
            eta_schedule=eta_schedule,
            keep_order=keep_order,
            precision=enum_number(run_pb2.Precision, precision, field="spec.precision"),
            seed=seed_number(seed),
            threads=thread_count(threads),
            report=report_spec(loss_interval, loss_every, state_every),
            plugins=to_specs(plugins),
            checkpoints=None if checkpoints is None else checkpoint_spec(checkpoints),
            optimizer=None if optimizer is None else optimizer_spec(optimizer),
            data=data_spec(
                target_columns=target_columns,
                weight_column=weight_column,
                ignored_columns=ignored_columns,
                standardize=standardize,
                validation=validation,
                test=test,
                split=split,
                split_seed=split_seed,
            ),
        )
        set_batch_size(spec, batch_size)
        request = pb.StartRunRequest(
            run_id=run_id or "",
            spec=spec,
            target=None if batch_to is None else whole(batch_to, "batch_to"),
            request_id=uuid.uuid4().hex,
        )
        # Last, since it may have much to send.
        self._set_source(request.spec.data, data, weights, progress, timeout)
        stub = self._connection.stub
        answer = self._connection.call(lambda left: stub.StartRun(request, timeout=left), timeout)
        check_parts(request.spec.data, answer.run)
        run = Run(self._connection, answer.run.run_id)
        run._remember(to_state(answer.run))
        return run

    def upload(
        self,
        data: ArrayData | Path,
        *,
        weights: ArrayLike | None = None,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> Dataset:
        """Brings arrays or a local file to the service, for several runs to use.

        Args:
            data: arrays or a pathlib.Path, as in start().
            weights: of arrays, as in start().
            progress: called with the bytes sent and those of the whole whenever up to 1 MiB more has been sent, in
                another thread, one call at a time. It begins anew where an upload has to be repeated. What it raises
                ends the upload, and is raised here.
            timeout: seconds for all of it. Default: the House's.

        Raises:
            ArrayShapeInvalid, ArrayDtypeInvalid, DataMalformed, DatasetTooLarge, Unreachable, DeadlineExceeded.
            OSError: the file cannot be read.
        """
        return upload(self._connection, data, weights, progress, timeout)

    def run(self, run_id: str, *, timeout: float | None = None) -> Run:
        """A handle on a run that exists, whether living or ended.

        Raises:
            RunNotFound: there is none of that id.
        """
        run = Run(self._connection, run_id)
        run.state(timeout=timeout)
        return run

    def runs(self, *, timeout: float | None = None) -> list[State]:
        """All runs the service knows, newest first; without facts and state vectors."""
        stub = self._connection.stub
        states: list[State] = []
        request = pb.ListRunsRequest(page_size=_PAGE_SIZE)
        while True:
            answer = self._connection.call(lambda left: stub.ListRuns(request, timeout=left), timeout)
            states.extend(to_state(run) for run in answer.runs)
            if not answer.next_page_token:
                return states
            request.page_token = answer.next_page_token

    def plugin_kinds(self, *, timeout: float | None = None) -> list[PluginKind]:
        """The kinds of plugins that runs of this service can have, by name, each with its settings; print() shows them.

        Raises:
            TrainerFailed: the service's trainer cannot be asked.
        """
        stub, request = self._connection.stub, pb.ListPluginKindsRequest()
        answer = self._connection.call(lambda left: stub.ListPluginKinds(request, timeout=left), timeout)
        return [to_plugin_kind(kind) for kind in answer.kinds]

    def _set_source(
        self,
        spec: run_pb2.DataSpec,
        data: Data,
        weights: ArrayLike | None,
        progress: Progress | None,
        timeout: float | None,
    ) -> None:
        if isinstance(data, str | Dataset):
            check_takes_no_weights(weights)
        else:
            data = self.upload(data, weights=weights, progress=progress, timeout=timeout)
        if isinstance(data, str):
            spec.file = data
        else:
            spec.dataset_id = data.dataset_id

    def _check_reachable(self) -> None:
        request, stub = pb.ListRunsRequest(page_size=1), self._connection.stub
        try:
            self._connection.call(lambda left: stub.ListRuns(request, timeout=left), retry=False)
        except PilothouseError as error:
            cause = error.__context__
            if not isinstance(cause, grpc.RpcError) or error.reason:
                raise
            if cause.code() is grpc.StatusCode.UNIMPLEMENTED:
                text = f"What answers at {self.address} is no pilothoused."
            elif isinstance(error, Unreachable):
                text = (
                    f"No pilothoused answers at {self.address} ({cause.details()}). Start one with "
                    "`pilothoused --data DIR`, give the address of one that runs, or let pilothouse.local() start one."
                )
            else:
                raise
            raise Unreachable(text, metadata={"address": self.address}) from None


def _origin() -> str:
    """Who asks, for the journal: "ana@lab/python"."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        user = str(os.getuid())
    printable = "".join(letter for letter in f"{user}@{socket.gethostname()}/python" if letter.isprintable())
    return printable.encode()[:LARGEST_ORIGIN_BYTES].decode(errors="ignore")
