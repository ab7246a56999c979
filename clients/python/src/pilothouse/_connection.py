"""The connection that a House and everything made by it share: channels, deadlines, retries."""

from __future__ import annotations

import itertools
import logging
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import grpc

from pilothouse._rpc_errors import from_rpc_error
from pilothouse.errors import DeadlineExceeded, HouseClosed, PilothouseError
from pilothouse.v1 import training_control_pb2_grpc

_log = logging.getLogger("pilothouse")

#: Largest message in either direction, as the service has it.
MAX_MESSAGE_BYTES = 64 << 20
#: Longest word on who asks, as the service has it.
LARGEST_ORIGIN_BYTES = 128
#: Pause before the second try, doubled from try to try up to the largest. Seconds.
_FIRST_BACKOFF = 0.1
_LARGEST_BACKOFF = 2.0

_LOOPBACK = re.compile(r"(dns:///|ipv4:|ipv6:)?(localhost|127(\.\d+){3}|\[::1\])(:|$)|unix:")

Answer = TypeVar("Answer")


def backoff() -> Iterator[float]:
    """Pauses between tries, in seconds, spread at random so that many clients do not come back together."""
    for attempt in itertools.count():
        yield min(_FIRST_BACKOFF * 2 ** min(attempt, 10), _LARGEST_BACKOFF) * random.uniform(0.5, 1.0)


def _channel_options(address: str) -> list[tuple[str, int]]:
    options = [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        # The transport's own pauses between tries grow to minutes by default, longer than ours.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 1000),
        ("grpc.max_reconnect_backoff_ms", 2000),
    ]
    if _LOOPBACK.match(address):
        options.append(("grpc.enable_http_proxy", 0))
    return options


def _watch_channel_options(address: str) -> list[tuple[str, int]]:
    return [
        *_channel_options(address),
        # By default the transport takes in megabytes ahead of a reader that has stopped, who would then read what was
        # an hour ago. With these the service notices soon, and tells the reader what it has left out.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 4096),
        # Channels with equal arguments would share a connection.
        ("grpc.use_local_subchannel_pool", 1),
        # A connection that died without a word is noticed although nothing is ever sent on it.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
    ]


class Connection:
    """Two channels to one service: one for calls, one, made when first needed, for watches. Thread-safe.

    `timeout` is in seconds and holds for each call that names no other.
    """

    def __init__(self, address: str, timeout: float, origin: str) -> None:
        self.address = address
        self.timeout = timeout
        self.origin = origin
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._closing = threading.RLock()  # held while others leave, who may close it again; taken before _lock
        self._channel = grpc.insecure_channel(address, options=_channel_options(address))
        self._watch_channel: grpc.Channel | None = None
        self._before_close: dict[object, Callable[[], None]] = {}
        #: For calls through `call`.
        self.stub: Any = training_control_pb2_grpc.TrainingControlStub(self._channel)  # type: ignore[no-untyped-call]

    @property
    def closed(self) -> bool:
        """No more calls are made."""
        return self._closed.is_set()

    def watch_stub(self) -> Any:
        """For watches.

        Raises:
            HouseClosed: the connection was closed.
        """
        with self._lock:
            if self.closed:
                raise self._closed_error()
            if self._watch_channel is None:
                self._watch_channel = grpc.insecure_channel(self.address, _watch_channel_options(self.address))
            return training_control_pb2_grpc.TrainingControlStub(self._watch_channel)  # type: ignore[no-untyped-call]

    def before_close(self, key: object, leave: Callable[[], None] | None) -> None:
        """Has `leave` called right before the connection is closed; None: no more.

        Raises:
            HouseClosed: it is closed already, so `leave` will not be called.
        """
        with self._lock:
            if leave is None:
                self._before_close.pop(key, None)
            elif self.closed:
                raise self._closed_error()
            else:
                self._before_close[key] = leave

    def close(self) -> None:
        """Ends all calls and watches. May be called again; who comes while it is being closed waits for that."""
        with self._closing:
            try:
                while leave := self._next_to_leave():
                    self._let_leave(leave)
            finally:
                with self._lock:
                    self._closed.set()
                    self._channel.close()
                    if self._watch_channel is not None:
                        self._watch_channel.close()

    def _next_to_leave(self) -> Callable[[], None] | None:
        """Takes one of those that leave before the connection is closed. None: all have, and it counts as closed."""
        with self._lock:
            if self._before_close:
                return self._before_close.pop(next(iter(self._before_close)))
            self._closed.set()
            return None

    def _let_leave(self, leave: Callable[[], None]) -> None:
        try:
            leave()
        except Exception:  # it must not keep the others from leaving, nor the connection open
            _log.exception("something did not leave the connection to %s as it should", self.address)

    def call(self, invoke: Callable[[float], Answer], timeout: float | None = None, *, retry: bool = True) -> Answer:
        """Calls `invoke` with the seconds that are left, and again as long as the service is unavailable.

        `invoke` must be harmless to repeat: a question, or a change with a request_id.

        Raises:
            PilothouseError: of the class that says what went wrong.
        """
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        for pause in backoff():
            try:
                return self._invoke(invoke, deadline)
            except grpc.RpcError as error:
                if self.closed:
                    raise self._closed_error() from None
                failure = from_rpc_error(error, self.address)
                # Cancelled, but not by us: the service was leaving when the call came in.
                unavailable = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
                if not (retry and unavailable) or time.monotonic() + pause >= deadline:
                    raise failure from None
                _log.info("the service is unavailable (%s); trying again in %.1f s", failure, pause)
            self._closed.wait(pause)
        raise AssertionError("backoff() never ends")

    def _invoke(self, invoke: Callable[[float], Answer], deadline: float) -> Answer:
        if self.closed:
            raise self._closed_error()
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlineExceeded("The timeout is not above 0.", metadata={"address": self.address})
        try:
            return invoke(remaining)
        except ValueError:
            if self.closed:  # gRPC's answer to a call on a channel that was closed in the meantime
                raise self._closed_error() from None
            raise

    def _closed_error(self) -> PilothouseError:
        return HouseClosed("This House was closed.", metadata={"address": self.address})
