"""Run.every(): a plugin for a function of this process."""

from __future__ import annotations

import contextlib
import inspect
import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pilothouse import functions
from pilothouse._connection import Connection
from pilothouse.errors import PluginAlreadyExists
from pilothouse.functions import Function, PluginFunction
from pilothouse.types import PluginReceipt

if TYPE_CHECKING:
    from pilothouse._run_plugins import RunPlugins

_log = logging.getLogger("pilothouse")

#: Names that are tried for a function before one is refused: as many as a run may have plugins, and one.
_NAMES_TRIED = 257
_LONGEST_NAME = 63


def attach_function(
    function: Function, run: RunPlugins, schedule: str, name: str, max_failures: int, parts: Mapping[str, Any]
) -> PluginFunction:
    """Attaches a plugin of kind notify, under `name` or the first free name like the function's, and calls it.

    Without a `name` it takes the place of an older definition of the same function, which is left alone where the newer
    one is refused. Where the older one cannot be detached, the log says so.

    Raises:
        PilothouseError: as Run.attach().
    """
    receipt = _attach(run, schedule, name, name_of(function), parts)
    try:
        newer = PluginFunction(function, run, receipt, schedule or "its usual schedule", max_failures)
    except BaseException:  # the House was closed while the receipt was under way
        _detach_apart(run, receipt)
        raise
    for older in [] if name else _older_definitions(function, run):
        older.make_way(newer, timeout=parts.get("timeout"))
    return newer


def check_function(function: Function) -> None:
    """Makes sure, before anything is attached for it, that the function can be called with an event and a run.

    Raises:
        TypeError: it cannot.
    """
    needed = "a function that takes an event and a run is needed, as in def look(event, run)"
    if not callable(function):
        raise TypeError(f"{needed}; not {function!r}")
    try:
        # Of what is called itself, which may give more to what it wraps.
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # some of those written in C tell none
        return
    try:
        signature.bind(None, None)
    except TypeError:
        raise TypeError(f"{needed}; {getattr(function, '__name__', function)!s} takes {signature}") from None


def _older_definitions(function: Function, run: RunPlugins) -> list[PluginFunction]:
    """Functions called for the same run that stand in the same place of the source, but were defined another time."""
    place, code = _place(function), _code(function)
    if place is None or code is None:
        return []
    return [
        living
        for living in functions.living_functions()
        if living.is_called_for(run) and _place(living) == place and _code(living) is not code
    ]


def _place(function: Function) -> tuple[str, str] | None:
    """Where the function stands in the source. None: its name does not tell."""
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    return None if name.rpartition(".")[2] in ("", "<lambda>", "_") else (module, name)


def _code(function: Function) -> object:
    # A definition has one, made anew when a cell is run again; all functions that a loop or a call of an outer function
    # makes from the definition share it, and are different functions.
    return getattr(inspect.unwrap(function), "__code__", None)


def _attach(run: RunPlugins, schedule: str, name: str, wanted: str, parts: Mapping[str, Any]) -> PluginReceipt:
    for number in range(1, _NAMES_TRIED + 1):
        ending = "" if number == 1 else f"-{number}"
        free = name or wanted[: _LONGEST_NAME - len(ending)] + ending
        try:
            return run.attach("notify", schedule, name=free, **parts)
        except PluginAlreadyExists:
            if name or number == _NAMES_TRIED:
                raise
    raise AssertionError("the last try returns or raises")


def _detach_apart(run: RunPlugins, receipt: PluginReceipt) -> None:
    """Detaches a plugin, if that is possible just now, over a connection of its own: the run's may be closed."""
    closed = run._connection
    with contextlib.closing(Connection(closed.address, functions.LEAVE_TIMEOUT, closed.origin)) as connection:
        note = f"the function {receipt.plugin} is detached: its House was closed"
        try:
            type(run)(connection, run.run_id).detach(receipt.plugin, note=note, request_id="")
        except Exception as error:
            _log.warning("the plugin %s of %s may still be attached: %s", receipt.plugin, run.run_id, error)


def name_of(function: Function) -> str:
    """A plugin's name like the function's: "show-loss" for show_loss."""
    name = re.sub(r"[^a-z0-9]+", "-", getattr(function, "__name__", "").lower()).strip("-")
    return name or "function"
