"""Timeouts of calls that wait more than once."""

from __future__ import annotations

import time


def deadline_after(timeout: float | None) -> float | None:
    """The time.monotonic() at which so many seconds have passed. None: never."""
    return None if timeout is None else time.monotonic() + timeout


def seconds_left(deadline: float | None) -> float | None:
    """The seconds until then, 0 or more. None: as long as it takes."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())
