"""How the parameters of a run are updated.

As in `optimizer=Optimizer("adam", beta1=0.95)`, or `optimizer="adam beta1=0.95"`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from pilothouse._names import enum_number
from pilothouse._numbers import real
from pilothouse.errors import SpecInvalid
from pilothouse.v1 import optimizer_pb2


@dataclass(frozen=True, slots=True)
class Optimizer:
    """A kind of optimizer, and its settings at the start, which are knobs: Run.set() changes them while the run trains.

    θ are the parameters, η is eta, g the gradient; operations are element by element, what is kept begins with 0, and
    the numbers in brackets are what is usual. The optimizers of PyTorch do the same.

        "gradient_descent"  θ ← θ − η·g                                     (η 0.1)
        "momentum"          v ← momentum·v + g, θ ← θ − η·v                 (η 0.1, momentum 0.9)
        "nesterov"          v ← momentum·v + g, θ ← θ − η·(g + momentum·v)  (η 0.1, momentum 0.9)
        "adam"              m ← beta1·m + (1 − beta1)·g, v ← beta2·v + (1 − beta2)·g²; in update t, from 1 on,
                            θ ← θ − η·m' / (√v' + epsilon), m' = m / (1 − beta1ᵗ), v' = v / (1 − beta2ᵗ)
                                                                            (η 0.001, 0.9, 0.999, 1e-8)
        "adamw"             as adam, but θ ← θ·(1 − η·weight_decay) before each update, in place of what all others
                            do with weight_decay                            (as adam, weight_decay 0.01)
        "rmsprop"           v ← rho·v + (1 − rho)·g², θ ← θ − η·g / (√v + epsilon)  (η 0.001, rho 0.99, 1e-8)
        "adagrad"           s ← s + g², θ ← θ − η·g / (√s + epsilon)        (η 0.01, 1e-10)

    None stands for what is usual. A setting that the kind does not have is refused when the run is started.

    Attributes:
        kind: one of the above.
        momentum: 0 to 0.999999; so are beta1, beta2 and rho.
        epsilon: 1e-30 to 1.
        weight_decay: so many times θ is added to g: 0 (off, as is usual but for "adamw") to 1e6.
        clip_norm: before that, g is scaled down to this norm where it is longer: 0 (off, as is usual) to 1e30.
        clip_value: then its elements are cut to this magnitude: 0 (off, as is usual) to 1e30.
    """

    kind: str
    momentum: float | None = None
    beta1: float | None = None
    beta2: float | None = None
    rho: float | None = None
    epsilon: float | None = None
    weight_decay: float | None = None
    clip_norm: float | None = None
    clip_value: float | None = None


def optimizer_spec(optimizer: Optimizer | str) -> optimizer_pb2.OptimizerSpec:
    """The optimizer as the service takes it.

    Raises:
        TypeError: it is neither text nor an Optimizer, or a setting is no number.
        SpecInvalid: there is no such kind, or the text is not "KIND [name=value …]".
    """
    if isinstance(optimizer, Optimizer):
        kind, settings = optimizer.kind, dict(_given(optimizer))
    elif isinstance(optimizer, str):
        kind, settings = _read(optimizer)
    else:
        raise TypeError(
            f'optimizer is text such as "adam beta1=0.95" or a pilothouse.Optimizer, not {type(optimizer).__name__}'
        )
    number = enum_number(optimizer_pb2.OptimizerKind, kind, field="spec.optimizer.kind")
    return optimizer_pb2.OptimizerSpec(kind=number, settings=settings)


def _given(optimizer: Optimizer) -> Iterator[tuple[str, float]]:
    for setting in fields(optimizer):
        value = getattr(optimizer, setting.name)
        if setting.name != "kind" and value is not None:
            yield setting.name, real(value, setting.name)


def _read(text: str) -> tuple[str, dict[str, float]]:
    """The kind and the settings of "adam beta1=0.95 weight_decay=0.01"."""
    kind, *words = text.split() or [""]
    settings: dict[str, float] = {}
    for word in words:
        name, equals, value = word.partition("=")
        try:
            number = float(value)
        except ValueError:
            equals = ""
        if not (name and equals) or name in settings:
            raise SpecInvalid(
                f'An optimizer is "KIND [name=value …]", each name once, as in "adam beta1=0.95"; got {text!r}.',
                field="spec.optimizer",
                metadata={"value": text},
            )
        settings[name] = number
    return kind, settings
