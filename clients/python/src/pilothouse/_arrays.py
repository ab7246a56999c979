"""Arrays to learn from, checked before they travel. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilothouse._convert import as_floats
from pilothouse.errors import ArrayShapeInvalid, DataMalformed

#: What arrays to learn from may be given as: (X, y), (X, y, weights), or by their names, as numpy.load() has them of an
#: NPZ file.
ArrayData = tuple[ArrayLike, ArrayLike] | tuple[ArrayLike, ArrayLike, ArrayLike] | Mapping[str, ArrayLike]

#: The names of arrays, as the service has them for NPZ files.
_INPUT_NAMES = ("inputs", "x", "X")
_TARGET_NAMES = ("targets", "y")
_WEIGHTS_NAME = "weights"
#: What names that are likely meant as one of these stand for, in any case of their letters; as the service has it.
_LIKELY_NAMES = {
    "input": "inputs",
    "inputs": "inputs",
    "target": "targets",
    "targets": "targets",
    "label": "targets",
    "labels": "targets",
    "y": "targets",
    "weight": "weights",
    "sample_weight": "weights",
    "sample_weights": "weights",
    "weights": "weights",
}


class Arrays(NamedTuple):
    """Inputs of shape (examples, inputs), targets of shape (examples,) or (examples, outputs), as they travel."""

    inputs: NDArray[Any]
    targets: NDArray[Any]
    #: Of shape (examples,). None: there are none.
    weights: NDArray[Any] | None = None


def to_arrays(data: object, weights: ArrayLike | None) -> Arrays:
    """The arrays of ArrayData as they are sent, once everything that can be known here has been checked here.

    Raises:
        TypeError: it is something else, or there are weights twice.
        DataMalformed: a mapping has no inputs or no targets, or has them twice, or an array's name is nearly right; or
            as check_arrays().
        ArrayDtypeInvalid, ArrayShapeInvalid: as check_arrays().
    """
    match data:
        case Mapping():
            _check_names(data)
            inputs, targets = _named(data, "inputs", _INPUT_NAMES), _named(data, "targets", _TARGET_NAMES)
            within = data.get(_WEIGHTS_NAME)
        case (inputs, targets) if isinstance(data, tuple):
            within = None
        case (inputs, targets, within) if isinstance(data, tuple):
            pass
        case _:
            raise TypeError(
                "data is a pair (X, y) or a triple (X, y, weights), a mapping with inputs and targets, a pathlib.Path "
                f"of a local file, a str that names a file of the service, or a Dataset; not {_told(data)}"
            )
    if within is not None and weights is not None:
        raise TypeError("weights are given twice, by themselves and within data")
    return check_arrays(inputs, targets, weights if within is None else within)


def _told(data: object) -> str:
    return f"a tuple of {len(data)}" if isinstance(data, tuple) else type(data).__name__


def _check_names(data: Mapping[Any, Any]) -> None:
    """That no array would be left out whose name looks as if it were meant to be read."""
    for name in data:
        meant = _LIKELY_NAMES.get(str(name).lower())
        if meant is None or name in (*_INPUT_NAMES, *_TARGET_NAMES, _WEIGHTS_NAME):
            continue
        raise DataMalformed(
            f"The data have an array named {name}, which would not be read. If it is the {meant}, name it {meant}; "
            "else give it a name that does not look like that.",
            field="data",
            metadata={"array": str(name), "expected": meant},
        )


def _named(data: Mapping[Any, Any], what: str, names: tuple[str, ...]) -> Any:
    found = [name for name in names if name in data]
    if len(found) == 1:
        return data[found[0]]
    there = ", ".join(map(str, data)) or "nothing"
    raise DataMalformed(
        f"One array of data is its {what}, called {' or '.join(names)}; there are: {there}.",
        field="data",
        metadata={"arrays": there},
    )


def check_arrays(inputs: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None) -> Arrays:
    """The arrays as they are sent, once everything that can be known here has been checked here.

    Raises:
        ArrayDtypeInvalid: the elements are not real numbers.
        ArrayShapeInvalid: inputs are not 2-D, targets not 1-D or 2-D, weights not 1-D, or there are not as many of one
            as of the others.
        DataMalformed: there are no examples, an element is NaN or infinite, or a weight is negative.
    """
    x, y = as_floats(inputs, field="data.inputs"), as_floats(targets, field="data.targets")
    if x.ndim != 2:
        raise _wrong_shape("data.inputs", "Inputs are 2-D, one row for each example", "(examples, inputs)", x)
    if y.ndim not in (1, 2):
        raise _wrong_shape("data.targets", "Targets are 1-D or 2-D", "(examples,) or (examples, outputs)", y)
    if x.shape[0] != y.shape[0]:
        sentence = f"There are {x.shape[0]} rows of inputs, so there must be as many targets"
        raise _wrong_shape("data.targets", sentence, f"{x.shape[0]} rows", y)
    for field, array in (("data.inputs", x), ("data.targets", y)):
        if array.size == 0:
            raise DataMalformed(f"{field} holds no numbers: its shape is {array.shape}.", field=field)
        _check_finite(field, array)
    return Arrays(x, y, None if weights is None else _check_weights(weights, len(x)))


def _check_weights(weights: ArrayLike, examples: int) -> NDArray[Any]:
    field = "data.weights"
    w = as_floats(weights, field=field)
    if w.shape not in ((examples,), (examples, 1)):
        raise _wrong_shape(field, f"There are {examples} examples, each of one weight", f"({examples},)", w)
    w = w.reshape(-1)
    _check_finite(field, w)
    if w.min() < 0:
        row = int(np.argmax(w < 0))
        raise DataMalformed(
            f"Weights are 0 or more; that of row {row} (counted from 0) is {w[row]}.",
            field=field,
            metadata={"line": str(row + 1), "column": "1"},
        )
    return w


def _wrong_shape(field: str, sentence: str, expected: str, array: NDArray[Any]) -> ArrayShapeInvalid:
    return ArrayShapeInvalid(
        f"{sentence}; {field} has the shape {array.shape}.",
        field=field,
        metadata={"expected": expected, "got": str(array.shape)},
    )


def _check_finite(field: str, array: NDArray[Any]) -> None:
    finite = np.isfinite(array)
    if finite.all():
        return
    where = np.argwhere(~finite)[0]
    row, column = int(where[0]), int(where[1]) if len(where) > 1 else 0
    raise DataMalformed(
        f"{field} must hold finite numbers; row {row}, column {column} (counted from 0) holds {array[tuple(where)]}.",
        field=field,
        # As in the service's errors, lines and columns of metadata count from 1.
        metadata={"line": str(row + 1), "column": str(column + 1)},
    )
