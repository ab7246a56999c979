"""One run: steering it, looking into it, watching it."""

from __future__ import annotations

from collections.abc import Iterable

from pilothouse._convert import from_tensor, to_receipt, to_state
from pilothouse._models import to_choice, to_model_used
from pilothouse._numbers import real, whole
from pilothouse._run_checkpoints import RunCheckpoints
from pilothouse._run_history import RunHistory
from pilothouse._run_models import RunModels
from pilothouse._run_plugins import RunPlugins
from pilothouse._wait import Waiting
from pilothouse.models import Model
from pilothouse.types import Receipt, State, Stopped
from pilothouse.v1 import control_pb2
from pilothouse.v1 import training_control_pb2 as pb
from pilothouse.watch import Watch

__all__ = ["Run"]


class Run(RunPlugins, RunCheckpoints, RunModels, RunHistory):
    """A handle on a run of the service; make one with House.start() or House.run().

    Thread-safe; cheap; nothing to close. Dropping it does nothing to the run.

    Every control (set_eta, follow_eta_schedule, set, batch_to, train, pause, resume, stop, attach, detach, reschedule,
    checkpoint, rewind) takes these:

    - at_batch: the batch at which to take effect: exactly there, or BatchAlreadyPassed. The answer comes only when the
      run has got there, so give a timeout that is long enough. Default: at once.
    - note: why, for the journal; at most 512 bytes.
    - request_id: makes the request repeatable: asking again with the same id and the same change gives the same
      receipt, not a second change. Made up if not given. While the service is unavailable, or the run is LOST as its
      trainer died and is being started again, the request is repeated with the same id until the timeout.
    - timeout: seconds to wait for the receipt. Default: the House's. After a trainer died, what was trained since the
      newest checkpoint is trained again before the answer can come.

    and raises, beside what it says itself: RunNotFound, RunEnded, BatchAlreadyPassed, TrainerUnavailable,
    TooManyControls, JournalFailed, RequestIdInvalid, RequestIdReused, Unreachable, DeadlineExceeded.
    """

    # Steering

    def follow_eta_schedule(
        self,
        *,
        at_batch: int | None = None,
        note: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Receipt:
        """Lets eta be what the run's schedule says again, after somebody has set it. The receipt's value is eta now.

        Where the run has no schedule, that is the eta it began with.
        """
        options = self._options(at_batch, note, request_id)
        request = pb.SetEtaRequest(run_id=self._run_id, follow_schedule=True, options=options)
        return to_receipt(self._control("SetEta", request, timeout).receipt)

    def set_eta(
        self,
        eta: float,
        *,
        at_batch: int | None = None,
        note: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Receipt:
        """Changes the learning rate: finite, above 0. It stays so, whatever the run's schedule says.

        Raises:
            EtaInvalid: it is not.
            TypeError: it is no number.
        """
        options = self._options(at_batch, note, request_id)
        request = pb.SetEtaRequest(run_id=self._run_id, eta=real(eta, "eta"), options=options)
        return to_receipt(self._control("SetEta", request, timeout).receipt)

    def set(
        self,
        name: str,
        value: float,
        *,
        at_batch: int | None = None,
        note: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Receipt:
        """Changes a knob: "eta", "loss_every", "state_every", "checkpoint_interval", …; state().knobs lists them.

        Raises:
            KnobUnknown: the run has no such knob.
            KnobOutOfRange: the value lies outside what the knob declares.
            TypeError: it is no number.
        """
        options = self._options(at_batch, note, request_id)
        request = pb.SetKnobRequest(run_id=self._run_id, name=name, value=real(value, "value"), options=options)
        return to_receipt(self._control("SetKnob", request, timeout).receipt)

    def batch_to(
        self,
        batch: int,
        *,
        at_batch: int | None = None,
        note: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Receipt:
        """Trains up to `batch`, 0 to 2^53. Below the run's batch: pauses where it is. Equal: takes no step.

        Raises:
            TargetInvalid: it is negative or too large.
            TypeError: it is no whole number.
        """
        change = control_pb2.TargetChange(batch=whole(batch, "batch"))
        return self._set_target(change, at_batch, note, request_id, timeout)

    def train(
        self,
        batches: int,
        *,
        at_batch: int | None = None,
        note: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Receipt:
        """Trains so many batches more, 1 or more, counted from the batch at which this takes effect.

        Returns at once, as batch_to does; wait() waits for the training.

        Raises:
            TargetInvalid: it is less than 1, or leads too far.
            TypeError: it is no whole number.
        """
        change = control_pb2.TargetChange(more=whole(batches, "batches"))
        return self._set_target(change, at_batch, note, request_id, timeout)

    def pause(
        self,
        *,
        at_batch: int | None = None,
        note: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Receipt:
        """Pauses where the run is. The receipt's value is the target now."""
        change = control_pb2.TargetChange()
        change.pause.SetInParent()
        return self._set_target(change, at_batch, note, request_id, timeout)

    def resume(
        self,
        *,
        at_batch: int | None = None,
        note: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Receipt:
        """Trains on to the last target that lay ahead when it was set. The receipt's value is that target."""
        change = control_pb2.TargetChange()
        change.resume.SetInParent()
        return self._set_target(change, at_batch, note, request_id, timeout)

    def stop(
        self,
        *,
        at_batch: int | None = None,
        note: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Stopped:
        """Saves the parameters and ends the run; it can still predict(). Answers when it has stopped.

        Functions of every() get their last report and end by themselves; PluginFunction.join() waits for that.

        Raises:
            RunEnded: it had ended before.
        """
        request = pb.StopRequest(run_id=self._run_id, options=self._options(at_batch, note, request_id))
        answer = self._control("Stop", request, timeout)
        receipt = to_receipt(answer.receipt)
        return Stopped(
            receipt.control_id,
            receipt.request_id,
            receipt.applied_batch,
            receipt.value,
            receipt.applied_time,
            answer.final_batch,
            answer.final_loss,
        )

    # Looking inside

    def state(self, *, vector: bool = False, model: Model | str = Model.LAST, timeout: float | None = None) -> State:
        """The run as it is now; a living trainer is asked, between two batches.

        Args:
            vector: state().vector is to hold all parameters, and watchers of states get them as an event too.
            model: whose parameters, as in predict(): "best" or the name of a saved file. state().model tells what was
                found, with the batch they are from; all else is of now.
            timeout: seconds to wait. Default: the House's.

        Raises:
            RunNotFound, TrainerUnavailable, Unreachable, DeadlineExceeded.
            StateTooLarge: the network has more than 4,194,304 parameters.
            NoParameters: the run has not saved those that are asked for.
            CheckpointDamaged: their file is not what was written.
        """
        choice = to_choice(model)
        request = pb.GetStateRequest(run_id=self._run_id, include_state_vector=vector, model=choice)
        answer = self._ask("GetState", request, timeout)
        found = from_tensor(answer.state) if answer.HasField("state") else None
        return self._remember(to_state(answer.run, found, None if choice is None else to_model_used(answer)))

    # Watching

    def watch(
        self,
        *,
        after_sequence: int | None = None,
        kinds: Iterable[str] | None = None,
        min_interval: float | None = None,
        max_interval: float | None = None,
        give_up_after: float | None = 60.0,
    ) -> Watch:
        """Everything that happens in the run, from now or from any earlier event on, until its last.

        Args:
            after_sequence: continue after this event; 0: from the beginning of the run. Default: from now.
            kinds: only these: EventKind, or "loss", "status", "control", "state", "plugin", "checkpoint". Default: all
                but states.
            min_interval: leave out a loss reported less than so many seconds after the one before it. 0 to 3,600;
                default 0.05. The loss at the target is never left out.
            max_interval: break a silence of so many seconds by a Heartbeat. 0.1 to 3,600; default 1.
            give_up_after: for how many seconds to try to make a broken connection again. None: for ever.

        The iteration raises:
            RunNotFound, SequenceOutOfRange, IntervalInvalid, TooManyWatchers.
            Unreachable: the connection broke and did not come back.
        """
        return Watch(
            self._connection,
            self._run_id,
            after_sequence=after_sequence,
            kinds=kinds,
            min_interval=min_interval,
            max_interval=max_interval,
            give_up_after=give_up_after,
        )

    def wait(self, batch: int | None = None, *, timeout: float | None = None) -> State:
        """Waits until the run has completed `batch`, or is idle, or has ended; returns its state then.

        Calls of functions of every() may still be under way: PluginFunction.join() waits for them.

        So `run.batch_to(5000); run.wait()` trains to 5000, and the state tells whether it got there: status and
        idle_reason say if somebody paused or stopped it, or if it diverged.

        Args:
            batch: return as soon as this batch is completed. Default: only when idle or ended.
            timeout: seconds to wait. Default: as long as it takes.

        Raises:
            DeadlineExceeded: it takes longer; the text says where the run is. wait() can be called again.
            RunNotFound, TrainerUnavailable, Unreachable.
        """
        return Waiting(self, batch, timeout).state()

    # Calls

    def _set_target(
        self,
        change: control_pb2.TargetChange,
        at_batch: int | None,
        note: str,
        request_id: str | None,
        timeout: float | None,
    ) -> Receipt:
        options = self._options(at_batch, note, request_id)
        request = pb.BatchToRequest(run_id=self._run_id, target=change, options=options)
        return to_receipt(self._control("BatchTo", request, timeout).receipt)
