"""Networks written out layer by layer, for what the shorthand "64x128rx10" cannot say.

As in `net=[Affine(64, 128), Map("relu"), Affine(128, 10)]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pilothouse._names import enum_number
from pilothouse._numbers import real
from pilothouse.v1 import run_pb2


@dataclass(frozen=True, slots=True)
class Affine:
    """Computes y = x·W + b, with W of shape (inputs, outputs) and b of shape (outputs,). Both from 1 to 65,536."""

    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Computes y = x."""


@dataclass(frozen=True, slots=True)
class Map:
    """Computes y = f(x), elementwise, or, for "softmax", over a row in the last layer.

    The others are "tanh", "relu", "sigmoid", "gelu", "leaky_relu" (0.01·x below 0), "silu" and "softplus".
    """

    activation: str


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """Shifts and scales every example to mean 0 and variance 1 over its features, then computes y = g·x + b.

    The gains g and the biases b are learnt. `features` is how many outputs the layer before has.
    """

    features: int


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """In training shifts and scales every feature to mean 0 and variance 1 over the batch, then computes y = g·x + b.

    The gains g and the biases b are learnt. `features` is how many outputs the layer before has. Predictions and
    validations use a running mean and variance of the batches instead, as torch's BatchNorm1d does. Every batch must
    have two examples or more, the last of an epoch included.
    """

    features: int


@dataclass(frozen=True, slots=True)
class Dropout:
    """In training sets every element to 0 with probability `rate`, and divides it by 1 − rate otherwise.

    `rate` lies from 0 up to, but not with, 1. Which elements is drawn anew in each batch, from the run's seed, and is
    the same when the batch is trained again. Predictions and validations leave every element as it is.
    """

    rate: float


#: The shorthand, or 1 to 64 layers in order of computation of which the first is affine.
Net = str | Sequence[Affine | Identity | Map | LayerNorm | BatchNorm | Dropout]


def network_spec(net: Net) -> run_pb2.NetworkSpec:
    """The network as the service takes it, without initializer and initial state.

    Raises:
        TypeError: `net` is neither text nor a sequence of layers.
        SpecInvalid: an activation has no such name.
    """
    if isinstance(net, str):
        return run_pb2.NetworkSpec(shorthand=net)
    if not isinstance(net, Sequence):
        raise TypeError(f"net is a shorthand such as '64x128rx10' or a list of layers, not {type(net).__name__}")
    layers: Sequence[object] = net
    return run_pb2.NetworkSpec(layers=run_pb2.LayerList(layers=[_layer(layer) for layer in layers]))


def _layer(layer: object) -> run_pb2.Layer:
    match layer:
        case Affine(inputs, outputs):
            return run_pb2.Layer(affine=run_pb2.AffineLayer(inputs=inputs, outputs=outputs))
        case Identity():
            return run_pb2.Layer(identity=run_pb2.IdentityLayer())
        case Map(activation):
            number = enum_number(run_pb2.Activation, activation, field="spec.network.layers")
            return run_pb2.Layer(map=run_pb2.MapLayer(activation=number))
        case LayerNorm(features):
            return run_pb2.Layer(layer_norm=run_pb2.LayerNormLayer(features=features))
        case BatchNorm(features):
            return run_pb2.Layer(batch_norm=run_pb2.BatchNormLayer(features=features))
        case Dropout(rate):
            return run_pb2.Layer(dropout=run_pb2.DropoutLayer(rate=real(rate, "rate")))
        case _:
            kinds = "Affine, Identity, Map, LayerNorm, BatchNorm or Dropout"
            raise TypeError(f"a layer is {kinds}, not {type(layer).__name__}")
