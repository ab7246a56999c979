"""Numbers from outside, checked before they travel."""

from __future__ import annotations

import operator

import numpy as np

from pilothouse.errors import PluginInvalid, TargetInvalid

_LARGEST_INT64 = 2**63 - 1


def integer(number: int, name: str) -> int:
    """The number as an int of any size.

    Raises:
        TypeError: it is no whole number. True and False are none, although Python counts with them.
    """
    try:
        if not _is_truth(number):
            return int(operator.index(number))
    except TypeError:
        pass
    raise TypeError(f"{name} is a whole number, not {number!r}")


def whole(number: int, name: str) -> int:
    """The number as an int of 64 bits.

    Raises:
        TypeError: it is no whole number.
        TargetInvalid: it is far outside of what any target can be.
    """
    value = integer(number, name)
    if abs(value) > _LARGEST_INT64:
        raise TargetInvalid(f"{name} is at most 2^53; got {value}.", field=name, metadata={"value": str(value)})
    return value


def real(number: float, name: str) -> float:
    """The number as a float; finite or not.

    Raises:
        TypeError: it is no real number. Text is none, even where it reads like one, nor are True and False.
    """
    try:
        if not isinstance(number, str | bytes | bytearray) and not _is_truth(number):
            return float(number)
    except (TypeError, ValueError):
        pass
    raise TypeError(f"{name} is a number, not {number!r}")


def plugin_number(number: int, name: str, minimum: int, maximum: int) -> int:
    """A number of a plugin, between two bounds, inclusive.

    Raises:
        TypeError: it is no whole number.
        PluginInvalid: it is outside.
    """
    value = whole(number, name)
    if not minimum <= value <= maximum:
        raise PluginInvalid(
            f"A plugin's {name} is {minimum} to {maximum}; got {value}.", field=name, metadata={"value": str(value)}
        )
    return value


def _is_truth(number: object) -> bool:
    return isinstance(number, bool | np.bool_) or (isinstance(number, np.ndarray) and number.dtype == np.bool_)
