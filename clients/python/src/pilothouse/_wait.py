"""Run.wait(): until a run has got somewhere, or the time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilothouse._deadlines import deadline_after, seconds_left
from pilothouse.errors import DeadlineExceeded
from pilothouse.events import ControlEvent, ControlKind, Event, Heartbeat, LossEvent, Snapshot, StatusEvent
from pilothouse.types import IdleReason, RunStatus, State
from pilothouse.watch import Watch

if TYPE_CHECKING:
    from pilothouse.run import Run


class Waiting:
    """One wait for a run, which notes what it hears of it. For one thread."""

    def __init__(self, run: Run, batch: int | None, timeout: float | None) -> None:
        """As in Run.wait()."""
        self._run = run
        self._batch = batch
        self._timeout = timeout
        self._deadline = deadline_after(timeout)
        self._at, self._target = 0, 0  # where the run was, and was going, when last heard of

    def state(self) -> State:
        """The state of the run once it has got there.

        Raises:
            DeadlineExceeded: the time is over, or the service has not answered; the text says which.
        """
        state = self._run.state(timeout=self._timeout)
        while not _waited_enough(state, self._batch):
            self._at, self._target = state.batch, state.target
            self._watch(state.last_sequence)
            left = seconds_left(self._deadline)
            if left == 0:
                raise self._out_of_time()
            try:
                state = self._run.state(timeout=left)
            except DeadlineExceeded:  # the service was there a moment ago: it is the wait that is over
                raise self._out_of_time() from None
        return state

    def _watch(self, after_sequence: int) -> None:
        """Returns as soon as asking for the state may tell something new."""
        connection = self._run._connection
        watch = Watch(
            connection,
            self._run.run_id,
            after_sequence=after_sequence,
            kinds=("status", "loss", "control"),
            give_up_after=connection.timeout,
            deadline=self._deadline,
        )
        with watch:
            try:
                for event in watch:
                    if self._is_news(event):
                        return
            except DeadlineExceeded:
                if not watch._is_answered():
                    raise
                raise self._out_of_time() from None

    def _is_news(self, event: Event) -> bool:
        """Notes where the run is. True: it may have got to where it is waited for."""
        match event:
            case Snapshot(state=state):
                self._at, self._target = state.batch, state.target
            case ControlEvent(name="target", value=value):
                self._target = int(value)
            case ControlEvent(kind=ControlKind.REWIND, value=value):
                self._at = self._target = int(value)
            case StatusEvent(batch=batch, target=target):
                self._at, self._target = max(self._at, batch), target
            case LossEvent(batch=batch) | Heartbeat(batch=batch):
                self._at = max(self._at, batch)  # what is repeated after a snapshot is older than that
        if isinstance(event, Heartbeat | StatusEvent) and event.status is not RunStatus.TRAINING:
            return True
        return isinstance(event, Heartbeat | LossEvent) and self._batch is not None and event.batch >= self._batch

    def _out_of_time(self) -> DeadlineExceeded:
        run_id, seconds = self._run.run_id, f"{self._timeout:g}"
        return DeadlineExceeded(
            f"Run {run_id} is still at batch {self._at} of {self._target} after {seconds} s; wait() can be called "
            "again.",
            metadata={"run_id": run_id, "batch": str(self._at), "target": str(self._target), "timeout": seconds},
        )


def _waited_enough(state: State, batch: int | None) -> bool:
    if state.status.ended or (batch is not None and state.batch >= batch):
        return True
    # A target that was set a moment ago is ahead of a run that is about to wake up.
    at_rest = state.batch >= state.target or state.idle_reason is IdleReason.DIVERGED
    return state.status is RunStatus.IDLE and at_rest
