"""What all exceptions of this package have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class PilothouseError(Exception):
    """Base of everything this package raises on purpose.

    Attributes:
        reason: the service's reason, as in ErrorReason without its prefix ("RUN_NOT_FOUND"). Empty for errors that are
            not an answer of the service.
        field: the request's field that is to blame ("spec.network.shorthand"). Empty: no single field.
        metadata: every value the sentence mentions, as text.

    Where the error came over the wire, the gRPC error is its __context__, or that one's; no traceback shows it.
    """

    REASON: ClassVar[str] = ""

    def __init__(
        self, message: str, *, field: str = "", metadata: Mapping[str, str] | None = None, reason: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = self.REASON if reason is None else reason
        self.field = field
        self.metadata: dict[str, str] = dict(metadata or {})
