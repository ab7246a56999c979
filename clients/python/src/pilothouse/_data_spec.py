"""Which examples a run learns from and which are held out, from what people write. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pilothouse._names import enum_number
from pilothouse._spec import seed_number
from pilothouse.errors import SpecInvalid
from pilothouse.v1 import run_pb2

#: How large a part of the examples is: a number of them, or a fraction of all; None: there is no such part.
PartSize = int | float | str | None

#: The service reads at most 18 digits, of which one stands before the point.
_DECIMALS = 17


def data_spec(
    *,
    target_columns: str | int | Iterable[str | int] | None,
    weight_column: str | int | None,
    ignored_columns: str | int | Iterable[str | int] | None,
    standardize: bool,
    validation: PartSize,
    test: PartSize,
    split: str | None,
    split_seed: int,
) -> run_pb2.DataSpec:
    """All that is said of the data but where they come from.

    Raises:
        SpecInvalid: a size, the split or its seed is none. It is a ValueError, too.
        TypeError: the split is no text, or its seed no whole number.
    """
    spec = run_pb2.DataSpec(
        target_columns=_names(target_columns),
        weight_column="" if weight_column is None else str(weight_column),
        ignored_columns=_names(ignored_columns),
        standardize=standardize,
        test_size=part_size(test, "test"),
        split_seed=seed_number(split_seed, "split_seed", field="spec.data.split_seed"),
    )
    if split is not None:
        spec.split = enum_number(run_pb2.SplitMethod, split, field="spec.data.split")
    _set_validation(spec, validation)
    return spec


def _names(columns: str | int | Iterable[str | int] | None) -> list[str]:
    if isinstance(columns, str | int):
        columns = [columns]
    return [str(column) for column in columns or ()]


def _set_validation(spec: run_pb2.DataSpec, validation: PartSize) -> None:
    size = part_size(validation, "validation")
    if validation is None:
        return
    if isinstance(validation, int | np.integer):
        spec.validation_examples = int(size)
    else:
        spec.validation_size = size


def part_size(size: PartSize, name: str) -> str:
    """The size as text: "0.2", "20%" or "100"; empty for None.

    Text travels as it is, for the service to read. So do numbers, in the decimals that they are written in: 0.29 of 100
    examples is 29, although the float 0.29 lies a little below.

    Raises:
        SpecInvalid: it is blank, or neither a fraction of the examples nor a number of them.
    """
    if size is None:
        return ""
    if isinstance(size, str):
        if size.strip():
            return size
    elif isinstance(size, float | np.floating):
        if 0 < size < 1:
            return np.format_float_positional(size, precision=_DECIMALS, trim="0")
    elif isinstance(size, int | np.integer) and not isinstance(size, bool) and 1 <= size < 2**63:
        return str(size)
    raise SpecInvalid(
        f'{name} is a part of the examples above 0 and below 1, as in 0.2 or "20%", or a number of examples, 1 or '
        f"more, as in 300; got {size!r}.",
        field=f"spec.data.{name}",
        metadata={"value": str(size)},
    )
