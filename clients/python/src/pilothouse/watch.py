"""Watching a run."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

import grpc

from pilothouse._connection import Connection, backoff
from pilothouse._convert import to_duration, to_event, to_heartbeat, to_state
from pilothouse._names import enum_number
from pilothouse._rpc_errors import from_rpc_error
from pilothouse.errors import HouseClosed, PilothouseError
from pilothouse.events import Event, Gap, Snapshot
from pilothouse.v1 import event_pb2, training_control_pb2

__all__ = ["Watch"]

_log = logging.getLogger("pilothouse")

#: What a stream ends with when its connection breaks or its service goes away.
_BREAKS = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL)


class Watch:
    """Everything that happens in a run, as an iterator: `for event in watch`, or `async for`.

    The first thing is a Snapshot; then come events in the order of their sequence, Gaps and Heartbeats. When the
    connection breaks, the watch makes it again, yields a Snapshot with `resumed`, and goes on with the event after the
    last one: nothing is lost and nothing comes twice. It ends after the run's last event, and when it is closed; a run
    that is LOST has not ended. After a rewind() batches go back, sequences go on.

    One thread or one task reads a watch; close() may be called from any. What the reader has not taken waits at the
    service, which leaves out losses first and tells so by a Gap. After os.fork() a child cannot use the watches of its
    parent.
    """

    def __init__(
        self,
        connection: Connection,
        run_id: str,
        *,
        after_sequence: int | None = None,
        kinds: Iterable[str] | None = None,
        min_interval: float | None = None,
        max_interval: float | None = None,
        give_up_after: float | None = 60.0,
        deadline: float | None = None,
    ) -> None:
        """Use Run.watch(). `deadline` is a time.monotonic() at which the watch fails with DeadlineExceeded."""
        self._connection = connection
        self._request = _watch_request(run_id, kinds, min_interval, max_interval)
        self._give_up_after = give_up_after
        self._deadline = deadline
        self._received = after_sequence  # the newest sequence that has arrived; None: none has, begin from now
        self._handed_out = after_sequence
        self._buffer: deque[Event] = deque()  # of one message
        self._began = False  # a snapshot has arrived
        self._ended = False
        self._broken_since: float | None = None
        self._pauses = backoff()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._call: Any = None
        self._pending: concurrent.futures.Future[Any] | None = None
        self._open()

    @property
    def sequence(self) -> int | None:
        """The sequence after which a later watch(after_sequence=…) would go on. None before the snapshot."""
        return self._handed_out

    def __repr__(self) -> str:
        over = ", closed" if self._closed.is_set() else ", ended" if self._ended else ""
        return f"<pilothouse.Watch of {self._request.run_id}, after_sequence={self._handed_out}{over}>"

    def close(self) -> None:
        """Ends the watch: a reader that waits gets the end of the iteration. From any thread; may be called again."""
        with self._lock:
            self._closed.set()
            if self._call is not None:
                self._call.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        """Waits for the next event.

        Raises:
            StopIteration: the run has ended and all its events were handed out, or the watch was closed.
            Unreachable: the connection broke and did not come back within give_up_after seconds.
            PilothouseError: the service refuses the watch; the class says why.
        """
        while not self._buffer:
            message = self._receive()
            if message is None:
                raise StopIteration
            self._take(message)
        return self._hand_out()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """As __next__, without blocking the event loop. A cancelled wait loses nothing."""
        while not self._buffer:
            if self._pending is None:
                self._pending = self._receive_in_thread()
            try:
                message = await asyncio.wrap_future(self._pending)
            except asyncio.CancelledError:
                raise  # the message that is under way goes to the next wait
            except BaseException:
                self._pending = None
                raise
            self._pending = None
            if message is None:
                raise StopAsyncIteration
            self._take(message)
        return self._hand_out()

    def _receive_in_thread(self) -> concurrent.futures.Future[Any]:
        """Receives one message in a thread of its own, which ends with it and does not keep the process alive."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        future.set_running_or_notify_cancel()  # from now on nobody can cancel it, and so lose its message

        def receive() -> None:
            try:
                future.set_result(self._receive())
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=receive, name="pilothouse-watch", daemon=True).start()
        return future

    def _open(self) -> None:
        request = training_control_pb2.WatchTrainingRequest()
        request.CopyFrom(self._request)
        if self._received is not None:
            request.after_sequence = self._received
        timeout = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        stub = self._connection.watch_stub()
        with self._lock:
            if not self._closed.is_set():
                self._call = stub.WatchTraining(request, timeout=timeout)

    def _receive(self) -> Any:
        """The next message, over as many connections as it takes. None: there will be none."""
        while not self._finished():
            try:
                message = next(self._call)
            except StopIteration:
                self._ended = True
            except grpc.RpcError as error:
                if not self._finished():
                    self._recover(error)
            else:
                self._broken_since, self._pauses = None, backoff()
                return message
        return None

    def _finished(self) -> bool:
        return self._ended or self._closed.is_set() or self._connection.closed

    def _is_answered(self) -> bool:
        """The service has been answering up to now, or to the watch's end."""
        return self._began and self._broken_since is None

    def _recover(self, error: grpc.RpcError) -> None:
        """Waits a little and opens the stream again, or raises what the error means."""
        failure = from_rpc_error(error, self._connection.address)
        now = time.monotonic()
        since = now if self._broken_since is None else self._broken_since
        given_up = self._give_up_after is not None and now - since >= self._give_up_after
        if not _is_break(error, failure) or given_up:
            self._ended = True
            raise failure from None
        self._broken_since = since
        pause = next(self._pauses)
        _log.info("the watch of %s broke (%s); trying again in %.1f s", self._request.run_id, failure, pause)
        if self._closed.wait(pause):
            return
        try:
            self._open()
        except (HouseClosed, ValueError):  # ValueError is gRPC's answer on a channel that is being closed
            if not self._connection.closed:
                raise
            self._ended = True

    def _take(self, message: training_control_pb2.WatchTrainingResponse) -> None:
        """Puts what the message holds into the buffer, in order."""
        if message.HasField("snapshot"):
            self._buffer.append(Snapshot(to_state(message.snapshot), resumed=self._began))
            self._began = True
            if self._received is None:
                self._received = message.snapshot.last_sequence
        parts: list[tuple[int, Event]] = [(gap.first, Gap(gap.first, gap.last)) for gap in message.gaps]
        for proto in message.events:
            # Never twice, whatever a service that has just come back may send.
            if self._received is not None and proto.sequence <= self._received:
                continue
            self._received = proto.sequence
            event = to_event(proto)
            if event is not None:
                parts.append((proto.sequence, event))
        self._buffer.extend(event for _, event in sorted(parts, key=lambda part: part[0]))
        if message.HasField("heartbeat"):
            self._buffer.append(to_heartbeat(message.heartbeat))

    def _hand_out(self) -> Event:
        event = self._buffer.popleft()
        if isinstance(event, Snapshot):
            if self._handed_out is None:
                self._handed_out = event.state.last_sequence
        else:
            self._handed_out = getattr(event, "sequence", self._handed_out)
        return event


def _is_break(error: grpc.RpcError, failure: PilothouseError) -> bool:
    """The stream was interrupted, as opposed to refused: what it was asked for can be asked for again."""
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return True
    return error.code() in _BREAKS and not failure.reason


def _watch_request(
    run_id: str, kinds: Iterable[str] | None, min_interval: float | None, max_interval: float | None
) -> training_control_pb2.WatchTrainingRequest:
    request = training_control_pb2.WatchTrainingRequest(run_id=run_id)
    if isinstance(kinds, str):
        kinds = [kinds]
    for kind in kinds or ():
        request.kinds.append(enum_number(event_pb2.EventKind, kind, field="kinds"))
    if min_interval is not None:
        request.min_interval.CopyFrom(to_duration(min_interval, field="min_interval"))
    if max_interval is not None:
        request.max_interval.CopyFrom(to_duration(max_interval, field="max_interval"))
    return request
