"""Runs of the scripted service, and the spec it was told of: what tests of data and of their parts begin with."""

from __future__ import annotations

import numpy as np

import pilothouse
from pilothouse.v1 import run_pb2

X = np.arange(8, dtype=np.float64).reshape(4, 2)
Y = np.array([0, 1, 0, 1])
W = np.array([1.0, 0.0, 2.0, 0.5])


def start(house: pilothouse.House, **arguments) -> pilothouse.Run:
    return house.start(**{"net": "2x2tx1t", "data": "xor.csv", "loss": "half_mse"} | arguments)


def started(service) -> run_pb2.RunSpec:
    return service.requests["StartRun"][-1].spec
