"""What every part of a Run needs: its name, its connection, and calls about it."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, Self

from pilothouse._connection import LARGEST_ORIGIN_BYTES, Connection
from pilothouse._numbers import whole
from pilothouse.errors import DeadlineExceeded
from pilothouse.types import Facts, State
from pilothouse.v1 import control_pb2, training_control_pb2


class RunHandle:
    """Calls about one run. Thread-safe."""

    def __init__(self, connection: Connection, run_id: str, facts: Facts | None = None) -> None:
        self._connection = connection
        self._run_id = run_id
        self._facts = facts
        self._directory = ""
        self._origin = connection.origin

    @property
    def run_id(self) -> str:
        """The name of the run."""
        return self._run_id

    def __repr__(self) -> str:
        return f"<pilothouse.Run {self._run_id} at {self._connection.address}>"

    def _acting_for(self, function: str) -> Self:
        """The same run, whose controls tell in their origin that they come from the function of this name."""
        run = type(self)(self._connection, self._run_id, self._facts)
        suffix = f"/{function}".encode()
        origin = self._origin.encode()[: LARGEST_ORIGIN_BYTES - len(suffix)] + suffix
        run._directory = self._directory
        run._origin = origin.decode(errors="ignore")
        return run

    def _remember(self, state: State) -> State:
        """Keeps what is constant in a run's life."""
        self._facts = state.facts or self._facts
        self._directory = state.directory or self._directory
        return state

    def _directory_of_run(self, timeout: float | None) -> Path:
        """Where the run lives on the service's machine."""
        if not self._directory:
            answer = self._ask("GetState", training_control_pb2.GetStateRequest(run_id=self._run_id), timeout)
            self._directory = answer.run.directory
        return Path(self._directory)

    def _options(self, at_batch: int | None, note: str, request_id: str | None) -> control_pb2.ControlOptions:
        return control_pb2.ControlOptions(
            request_id=uuid.uuid4().hex if request_id is None else request_id,
            at_batch=None if at_batch is None else whole(at_batch, "at_batch"),
            origin=self._origin,
            note=note,
        )

    def _control(self, method: str, request: Any, timeout: float | None) -> Any:
        # Without a request_id a repetition would be a second change.
        repeatable = bool(request.options.request_id)
        try:
            return self._ask(method, request, timeout, retry=repeatable)
        except DeadlineExceeded as error:
            error.metadata["request_id"] = request.options.request_id
            raise

    def _ask(self, method: str, request: Any, timeout: float | None, *, retry: bool = True) -> Any:
        call = getattr(self._connection.stub, method)
        return self._connection.call(lambda left: call(request, timeout=left), timeout, retry=retry)
