"""Between the protocol's enums and the names people write."""

from __future__ import annotations

import enum
import re
from typing import Any, TypeVar

from pilothouse.errors import SpecInvalid

Named = TypeVar("Named", bound=enum.StrEnum)


def _prefix(proto_enum: Any) -> str:
    """What all names of the enum begin with: "RUN_STATUS_"."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", proto_enum.DESCRIPTOR.name).upper() + "_"


def enum_number(proto_enum: Any, name: str, *, field: str) -> Any:
    """The number of "cross_entropy" (or "cross-entropy", in any case).

    Raises:
        TypeError: `name` is no text.
        SpecInvalid: there is no such name; `field` is to blame.
    """
    if not isinstance(name, str):
        raise TypeError(f"{field} is text, not {type(name).__name__}")
    prefix = _prefix(proto_enum)
    wanted = prefix + name.upper().replace("-", "_")
    known = [key for key, number in proto_enum.items() if number != 0]
    if wanted not in known:
        choices = ", ".join(key.removeprefix(prefix).lower() for key in known)
        raise SpecInvalid(
            f"There is no {prefix.lower().replace('_', ' ').strip()} {name!r}; known are {choices}.",
            field=field,
            metadata={"value": name, "known": choices},
        )
    return proto_enum.Value(wanted)


def enum_member(kind: type[Named], proto_enum: Any, number: int) -> Named:
    """The member of our enum for a number on the wire; UNSPECIFIED for one that only a newer service knows."""
    value = proto_enum.DESCRIPTOR.values_by_number.get(number)
    name = "UNSPECIFIED" if value is None else value.name.removeprefix(_prefix(proto_enum))
    return kind.__members__.get(name, kind["UNSPECIFIED"])


def enum_word(proto_enum: Any, number: int) -> str:
    """The name of a number on the wire without its prefix: "IDLE". Empty: it is unspecified, or of a newer service."""
    value = proto_enum.DESCRIPTOR.values_by_number.get(number)
    return "" if value is None or number == 0 else str(value.name.removeprefix(_prefix(proto_enum)))
