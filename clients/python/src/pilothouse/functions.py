"""Functions of this process that are called while a run goes on elsewhere: Run.every()."""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import threading
import time
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pilothouse._convert import to_state
from pilothouse._deadlines import deadline_after, seconds_left
from pilothouse.errors import DeadlineExceeded, HouseClosed, PluginNotFound, RunEnded
from pilothouse.events import ControlEvent, ControlKind, Event, Heartbeat, PluginEvent, PluginFailureEvent
from pilothouse.types import PluginReceipt
from pilothouse.v1 import training_control_pb2 as pb
from pilothouse.watch import Watch

if TYPE_CHECKING:
    from pilothouse._run_plugins import RunPlugins

__all__ = ["PluginFunction"]

_log = logging.getLogger("pilothouse")

#: What Run.every() decorates.
Function = Callable[[PluginEvent, Any], object]

#: After so many exceptions in a row a function is detached, unless it says otherwise.
USUAL_MAX_FAILURES = 3
#: Seconds that leaving Python, or closing a House, may take for each function.
LEAVE_TIMEOUT = 2.0
#: A batch that no run reaches.
_NEVER_REACHED = 2**63
#: join() asks for a sign of life from the watch, should what it waits for have been left out.
_QUIET_HEARTBEATS = 2


class PluginFunction:
    """A function that is called whenever its plugin has reported something; made by Run.every().

    It runs in a thread of this process, one call at a time, and the trainer does not wait for it. Of the reports that
    come while it runs only the newest is delivered after; `missed` counts the others. What goes wrong is logged, with
    the traceback, when the first of a row of calls raises; after so many in a row as every() allows it is detached.

    It ends, when its last report has been delivered, with the run, or because its plugin was detached by anybody.
    Run.wait() and Run.stop() do not wait for calls: join() does. Calling the object calls the function itself.

    A context manager, which detaches it and waits for its last call. Thread-safe.
    """

    def __init__(
        self, function: Function, run: RunPlugins, receipt: PluginReceipt, schedule: str, max_failures: int
    ) -> None:
        """Use Run.every(). Raises HouseClosed, and nothing is left but the plugin."""
        functools.update_wrapper(self, function, updated=())
        self._function = function
        self._run = run
        self._acting_run = run._acting_for(receipt.plugin)
        self._receipt = receipt
        self._schedule = schedule
        self._max_failures = max_failures
        self._calls = 0
        self._missed = 0
        self._failures = 0  # in a row
        self._error: BaseException | None = None
        self._end = ""  # why no more reports come; empty: they may
        self._detached = False  # as far as is known; an end does not say so
        self._unwatched = False  # it could not be detached at its end: if others detach it now, that is not noticed
        self._waiting: PluginEvent | None = None  # at most one report waits, the newest
        self._calling = False
        self._seen_batch = -1  # of the newest report that has arrived
        self._heartbeat_batches: list[int] = []  # since somebody began to join
        self._changed = threading.Condition()
        self._watch = Watch(
            run._connection,
            run.run_id,
            after_sequence=receipt.control_id,
            kinds=("plugin", "control"),
            give_up_after=None,
        )
        self._caller = threading.Thread(target=self._call_all, name=f"pilothouse-call-{self.name}", daemon=True)
        reader = threading.Thread(target=self._read_all, name=f"pilothouse-read-{self.name}", daemon=True)
        run._connection.before_close(self, self._leave)
        with _living_lock:
            _living.add(self)
        reader.start()
        self._caller.start()

    @property
    def name(self) -> str:
        """The name of its plugin."""
        return self._receipt.plugin

    @property
    def receipt(self) -> PluginReceipt:
        """The receipt of its plugin's attachment."""
        return self._receipt

    @property
    def calls(self) -> int:
        """How often it was called, with calls that raised."""
        return self._calls

    @property
    def missed(self) -> int:
        """How many reports were not delivered, because a newer one came while the function ran.

        What the service has left out already, for a connection that is too slow, is not counted.
        """
        return self._missed

    @property
    def error(self) -> BaseException | None:
        """What the last call raised, or what ended the watch. None: nothing."""
        return self._error

    @property
    def ended(self) -> bool:
        """No more calls will come, and none is under way."""
        with self._changed:
            return self._over()

    def is_called_for(self, run: RunPlugins) -> bool:
        """Whether it is called for this run, whichever handle on it was used."""
        mine = self._run
        return (mine.run_id, mine._connection.address) == (run.run_id, run._connection.address)

    def __repr__(self) -> str:
        with self._changed:
            state = "runs" if not self._end else self._end if self._over() else f"{self._end}; its last call is due"
            if self._error is not None:
                state += f"; {self._error!r}"
            if self._end and not self._detached:
                state += "; its plugin may still be attached"
            counts = f"{self._calls} call{'' if self._calls == 1 else 's'}, {self._missed} missed"
        return f"<pilothouse.PluginFunction {self.name} of {self._run.run_id}, {self._schedule}: {state}; {counts}>"

    def __call__(self, *arguments: Any, **keywords: Any) -> object:
        """Calls the function, as if it had not been decorated."""
        return self._function(*arguments, **keywords)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()
        self._await(self._over, None, "has not ended")

    def detach(self, *, timeout: float | None = None) -> None:
        """Detaches its plugin. What had been reported is still delivered: join(), or leaving a `with`, waits for that.

        May be called again, also by the function itself, and when the run has ended.

        Raises:
            TrainerUnavailable, Unreachable, DeadlineExceeded, HouseClosed.
        """
        self._detach(f"the function {self.name} is detached", timeout)

    def make_way(self, newer: PluginFunction, *, timeout: float | None = None) -> None:
        """Detaches its plugin for a newer definition of the same function, over that one's connection.

        Its own may be closed. Where that fails, the log says so.
        """
        if newer.name == self.name:  # only a plugin that is gone has left its name
            self._detached = True
        self._detach_if_possible("it was defined anew", timeout, run=newer._run)

    def _detach(self, note: str, timeout: float | None, *, once: bool = False, run: RunPlugins | None = None) -> None:
        """Detaches its plugin over its own or another handle on the run; `once`: only if the service is there."""
        if self._detached:
            return
        run, deadline = run or self._run, deadline_after(timeout)
        if not self._unwatched or self._is_listed(run, timeout, once):
            with contextlib.suppress(PluginNotFound, RunEnded):  # somebody else was faster
                # Without a request_id it is tried once.
                run.detach(self.name, note=note, request_id="" if once else None, timeout=seconds_left(deadline))
        self._detached = True

    def _is_listed(self, run: RunPlugins, timeout: float | None, once: bool) -> bool:
        """Whether the plugin of its name is the one that was attached for it, and not a newcomer."""
        answer = run._ask("ListPlugins", pb.ListPluginsRequest(run_id=run.run_id), timeout, retry=not once)
        attached = (self.name, "notify", self._receipt.applied_batch)
        return any((listed.spec.name, listed.spec.kind, listed.attached_batch) == attached for listed in answer.plugins)

    def _detach_if_possible(
        self, why: str, timeout: float | None = None, *, once: bool = False, run: RunPlugins | None = None
    ) -> None:
        """As detach(), where there is nobody to tell of an error but the log."""
        try:
            self._detach(f"the function {self.name} is detached: {why}", timeout, once=once, run=run)
        except HouseClosed:
            self._unwatched = True  # its close() has tried
        except Exception as error:
            self._unwatched = True
            _log.warning("the plugin %s of %s may still be attached: %s", self.name, self._run.run_id, error)

    def wait(self, timeout: float | None = None) -> None:
        """Waits until no call is under way and no report waits for one. Not in the function itself.

        Raises:
            DeadlineExceeded: it takes longer than `timeout` seconds.
        """
        self._await(self._idle, timeout, "is still being called")

    def join(self, timeout: float | None = None) -> None:
        """Waits until everything that was reported before now has been delivered. Not in the function itself.

        After `run.wait(); f.join()` the function has seen the newest report there is. Where the run has ended or the
        plugin was detached, which ends the function, it waits for that: `ended` is True then.

        Raises:
            DeadlineExceeded: it takes longer than `timeout` seconds.
            TrainerUnavailable, Unreachable, HouseClosed: what has been reported cannot be asked for.
        """
        deadline = deadline_after(timeout)
        with self._changed:
            self._heartbeat_batches.clear()
        reported = -1 if self._end else self._last_reported(timeout)
        left = seconds_left(deadline)
        self._await(lambda: self._over() or (self._idle() and self._has_seen(reported)), left, "has not seen all")

    def _last_reported(self, timeout: float | None) -> int:
        """The batch of the newest report; −1: there is none. No more will come: none, as the watch's end will tell."""
        if self._detached:
            return _NEVER_REACHED
        request = pb.GetStateRequest(run_id=self._run.run_id)
        state = to_state(self._run._ask("GetState", request, timeout).run)
        mine = [plugin for plugin in state.plugins if plugin.name == self.name]
        if state.status.ended or not mine:
            return _NEVER_REACHED
        return -1 if mine[0].last_batch is None else mine[0].last_batch

    def _await(self, condition: Callable[[], bool], timeout: float | None, what: str) -> None:
        if threading.current_thread() is self._caller:
            raise RuntimeError(f"the function {self.name} cannot wait for itself")
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise DeadlineExceeded(f"The function {self.name} {what} after {timeout:g} seconds.")

    # REQUIRES for all of these: the caller holds _changed.

    def _idle(self) -> bool:
        return self._waiting is None and not self._calling

    def _over(self) -> bool:
        return bool(self._end) and self._idle()

    def _has_seen(self, batch: int) -> bool:
        # Where the report itself was left out, or there was none, the silence after it has to do.
        quiet = [seen for seen in self._heartbeat_batches if seen >= batch]
        return self._seen_batch >= batch or len(quiet) >= _QUIET_HEARTBEATS

    # The thread that reads. It never waits for the function.

    def _read_all(self) -> None:
        try:
            for event in self._watch:
                end = self._take(event)
                if end:
                    break
            else:
                end = self._end_of_watch()
        except Exception as error:
            _log.error("the function %s of %s sees no more reports: %s", self.name, self._run.run_id, error)
            self._error = error
            end = "ended with an error"
            self._detach_if_possible("its reports cannot be watched")
        with self._changed:
            self._end = self._end or end
            self._changed.notify_all()
        self._watch.close()

    def _end_of_watch(self) -> str:
        if self._run._connection.closed:
            return "ended with its connection"
        if not self._end:  # else it was closed here
            self._detached = True  # with its run
        return "ended with the run"

    def _take(self, event: Event) -> str:
        """Notes what the event means for the function; why it is the last, if it is."""
        with self._changed:
            if self._end:
                return self._end
            if isinstance(event, PluginEvent | PluginFailureEvent) and event.plugin == self.name:
                self._seen_batch = event.batch
                if isinstance(event, PluginEvent):
                    self._missed += self._waiting is not None
                    self._waiting = event
                elif event.detached:
                    self._detached = True
                    return f"detached by the trainer: {event.message}"
            elif isinstance(event, ControlEvent) and event.plugin == self.name:
                if event.kind is ControlKind.DETACH_PLUGIN:
                    self._detached = True
                    return "detached"
            elif isinstance(event, ControlEvent) and event.kind is ControlKind.REWIND:
                self._seen_batch = min(self._seen_batch, int(event.value))
                self._heartbeat_batches.clear()
                if event.value < self._receipt.applied_batch:
                    self._detached = True
                    return "its run was taken back to before it was attached"
            elif isinstance(event, Heartbeat):
                self._heartbeat_batches = [*self._heartbeat_batches[1 - _QUIET_HEARTBEATS :], event.batch]
            self._changed.notify_all()
        return ""

    # The thread that calls.

    def _call_all(self) -> None:
        while (event := self._next()) is not None:
            self._call(event)
            with self._changed:
                self._calling = False
                self._changed.notify_all()
        if self._detached:  # else leaving tries it once more
            self._run._connection.before_close(self, None)
            with _living_lock:
                _living.discard(self)

    def _next(self) -> PluginEvent | None:
        """The next report to deliver; None: none will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is not None or bool(self._end))
            event, self._waiting = self._waiting, None
            self._calling = event is not None
            self._changed.notify_all()
            return event

    def _call(self, event: PluginEvent) -> None:
        self._calls += 1
        try:
            self._function(event, self._acting_run)
        except BaseException as error:
            self._failed(error, event)
        else:
            self._failures, self._error = 0, None

    def _failed(self, error: BaseException, event: PluginEvent) -> None:
        self._failures += 1
        self._error = error
        if self._failures == 1:  # the others of a row tell the same
            _log.error("the function %s failed at batch %d", self.name, event.batch, exc_info=error)
        if self._failures < self._max_failures or self._end:
            return
        _log.error("the function %s failed %d times in a row and is called no more", self.name, self._failures)
        self._end_here(f"ended after {self._failures} failures in a row")
        self._detach_if_possible(f"it raised {type(error).__name__}")
        self._watch.close()

    def _end_here(self, end: str) -> None:
        """Nothing more is delivered, whatever comes. Where it has ended already, its last report still is."""
        with self._changed:
            if not self._end:
                self._end, self._waiting = end, None
            self._changed.notify_all()

    def _leave(self, timeout: float | None = None) -> None:
        """Detaches the plugin if that is possible just now; nothing more is delivered, but to one that has ended."""
        self._end_here("left")
        # Who leaves does not wait for a service that is away.
        self._detach_if_possible("its process leaves", LEAVE_TIMEOUT if timeout is None else timeout, once=True)
        self._watch.close()


#: Functions whose plugins may be attached: they are detached when Python ends. Guarded by _living_lock.
_living: weakref.WeakSet[PluginFunction] = weakref.WeakSet()
_living_lock = threading.Lock()


def living_functions() -> list[PluginFunction]:
    """Functions of this process whose plugins may be attached."""
    with _living_lock:
        return list(_living)


@atexit.register
def _leave_all() -> None:
    deadline = time.monotonic() + LEAVE_TIMEOUT
    for function in living_functions():
        function._leave(max(0.0, deadline - time.monotonic()))
