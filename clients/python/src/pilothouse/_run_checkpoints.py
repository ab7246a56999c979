"""The checkpoints of a run: making and listing them, going back, and branching off."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Self

from pilothouse._best import batch_of_best
from pilothouse._convert import to_checkpoint, to_receipt, to_state
from pilothouse._deadlines import deadline_after, seconds_left
from pilothouse._handle import RunHandle
from pilothouse._numbers import real, whole
from pilothouse._plugins import to_specs
from pilothouse._spec import seed_number
from pilothouse.checkpoints import Checkpoint
from pilothouse.plugins import Plugin
from pilothouse.types import Receipt
from pilothouse.v1 import control_pb2
from pilothouse.v1 import training_control_pb2 as pb


class RunCheckpoints(RunHandle):
    """What a Run does with checkpoints. Thread-safe."""

    def checkpoint(
        self,
        *,
        pin: bool = False,
        at_batch: int | None = None,
        note: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Checkpoint:
        """Makes a checkpoint, and returns when it has been written; its `receipt` is the control's.

        Args:
            pin: keep it for as long as the run, whatever else is removed.
            at_batch: as in every control.
            note: as in every control.
            request_id: as in every control.
            timeout: as in every control.

        Raises:
            SaveFailed: it cannot be written: the disk is full, say. The run goes on.
        """
        options = self._options(at_batch, note, request_id)
        request = pb.SaveCheckpointRequest(run_id=self._run_id, pin=pin, options=options)
        answer = self._control("SaveCheckpoint", request, timeout)
        return to_checkpoint(answer.checkpoint, self._directory_of_run(timeout), to_receipt(answer.receipt))

    def checkpoints(self, *, timeout: float | None = None) -> list[Checkpoint]:
        """The checkpoints that are there, the newest first; those of branches after those of the present line.

        Also those that were pinned and are gone: each one's `condition` tells.

        Raises:
            RunNotFound, Unreachable, DeadlineExceeded.
        """
        answer = self._ask("ListCheckpoints", pb.ListCheckpointsRequest(run_id=self._run_id), timeout)
        directory = self._directory_of_run(timeout)
        return [to_checkpoint(checkpoint, directory) for checkpoint in answer.checkpoints]

    def rewind(
        self,
        batch: int | str,
        *,
        branch: str | None = None,
        at_batch: int | None = None,
        note: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Receipt:
        """Takes the run back to `batch`, exactly as it was after it, and pauses it there.

        Nothing is deleted: what came after is kept as a branch, which the receipt names, and can be read, exported and
        forked. Returns when the run is there; that takes as long as training from the nearest checkpoint before
        `batch`, so give a timeout that is long enough. For watches, batches go back while sequences go on.

        Args:
            batch: from the run's first (0, or where it was forked) to the one it is at; or "best": that after which
                its best parameters stood, as state(model="best").model tells.
            branch: what to call what came after, [a-z0-9][a-z0-9-]{0,62}. Default: a name is made up.
            at_batch: as in every control.
            note: as in every control.
            request_id: as in every control.
            timeout: as in every control.

        Raises:
            BatchOutOfRange: the run has not come to this batch, or begins after it; or its best parameters are those of
                a batch that only a branch has, which metadata names.
            BranchAlreadyExists: the run has a branch of this name.
            SpecInvalid: the branch's name is malformed.
            CheckpointDamaged, DataChanged: it cannot be restored.
            NoParameters: the run has kept no best ones.
            TypeError: `batch` is neither a whole number nor "best".
        """
        options = self._options(at_batch, note, request_id)
        deadline = deadline_after(timeout)
        wanted = self._batch_meant(batch, "batch", deadline)
        request = pb.RewindRequest(run_id=self._run_id, batch=wanted, branch=branch or "", options=options)
        return to_receipt(self._control("Rewind", request, seconds_left(deadline)).receipt)

    def fork(
        self,
        at: int | str | None = None,
        *,
        branch: str | None = None,
        run_id: str | None = None,
        eta: float | None = None,
        eta_schedule: str = "",
        knobs: Mapping[str, float] | None = None,
        seed: int | None = None,
        keep_order: bool | None = None,
        detach: str | Iterable[str] = (),
        plugins: Plugin | str | Iterable[Plugin | str] = (),
        batch_to: int | None = None,
        train: int | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Self:
        """Starts a new run from any batch of this one, which is not touched and may train on. Returns as start() does.

            bolder = run.fork(at=3000, eta=0.3, batch_to=5000)

        The new run begins exactly as this one was after batch `at`, counts its batches from there on, and from then on
        needs nothing of this one. state().parent tells where it comes from.

        Args:
            at: the batch after which to branch off, or "best", as in rewind(). Default: the one this run is at.
            branch: a branch of this run to take it from, not with "best". Default: its present line.
            run_id: name of the new run. Default: the service makes one up.
            eta: another learning rate. It stays so, unless eta_schedule is given, which begins with it. Of a run with
                a constant schedule, follow_eta_schedule() goes back to it.
            eta_schedule: another schedule, as in start(), which is followed from the first new batch on. Its t counts
                from the beginning of the run that is forked, and it begins with the eta which that run was started
                with, unless `eta` is given. Default: this run's, followed if it is followed there and `eta` is not
                given.
            knobs: other values of knobs by name, before the first new batch.
            seed: another order of the examples from here on.
            keep_order: take the examples in their order, or no longer.
            detach: the plugins of this run, by name, that the new one is to begin without.
            plugins: those to begin with besides: Plugin, or the name of a kind.
            batch_to: the batch to train up to at once, at least `at`. Default: idle until told.
            train: in place of batch_to: train so many batches at once, 1 or more.
            request_id: makes the request repeatable: the same id and request give the same run. "best" counts as the
                batch that it means at the time.
            timeout: seconds for the start. Default: the House's.

        Raises:
            BatchOutOfRange, BranchNotFound: this run has no such batch, or no such branch; of "best", as in rewind().
            RunAlreadyExists, RunIdInvalid: the new run's name.
            KnobUnknown, KnobOutOfRange, EtaInvalid, EtaScheduleInvalid, TargetInvalid, PluginNotFound and what start()
            says of plugins.
            CheckpointDamaged, DataChanged, TooManyRuns, TrainerFailed, Unreachable, DeadlineExceeded.
            NoParameters: this run has kept no best ones.
            TypeError: eta and a knob "eta", "best" and a branch, or what should be a number is none.
        """
        request = pb.ForkRequest(
            run_id=self._run_id,
            branch=branch or "",
            new_run_id=run_id or "",
            knobs=_knob_changes(eta, knobs or {}),
            eta_schedule=eta_schedule,
            seed=None if seed is None else seed_number(seed),
            detach_plugins=[detach] if isinstance(detach, str) else detach,
            attach_plugins=to_specs(plugins),
            target=None if batch_to is None else whole(batch_to, "batch_to"),
            more=None if train is None else whole(train, "train"),
            request_id=uuid.uuid4().hex if request_id is None else request_id,
        )
        if keep_order is not None:
            request.keep_order = keep_order
        deadline = deadline_after(timeout)
        if at is not None:
            request.batch = self._batch_meant(at, "at", deadline, branch)
        answer = self._ask("Fork", request, seconds_left(deadline), retry=bool(request.request_id))
        run = type(self)(self._connection, answer.run.run_id)
        run._remember(to_state(answer.run))
        return run

    def _batch_meant(self, batch: int | str, name: str, deadline: float | None, branch: str | None = None) -> int:
        """The batch, or that of the best parameters.

        Raises:
            NoParameters, BatchOutOfRange: the run has kept no best ones, or they are of another line.
            TypeError: it is neither a whole number nor "best", or the best of a branch.
        """
        if not isinstance(batch, str):
            return whole(batch, name)
        if batch.lower() != "best":
            raise TypeError(f'{name} is a whole number or "best", not {batch!r}')
        if branch:
            raise TypeError(
                "the best parameters are looked for on the present line, not on a branch; leave `branch` out, or say "
                f"the batch with `{name}`"
            )
        return batch_of_best(self, deadline)


def _knob_changes(eta: float | None, knobs: Mapping[str, float]) -> list[control_pb2.KnobChange]:
    if eta is not None and "eta" in knobs:
        raise TypeError("eta is given twice, by itself and among the knobs")
    wanted = knobs if eta is None else {"eta": eta, **knobs}
    return [control_pb2.KnobChange(name=name, value=real(value, name)) for name, value in wanted.items()]
