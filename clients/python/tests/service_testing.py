"""Runs of a real service that the tests share."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np

import pilothouse

XOR_INPUTS = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]])
XOR_TARGETS = np.array([-0.5, 0.5, -0.5, 0.5])
XOR_STATE = np.arange(1, 10) / 10

#: Seconds that anything here may take.
PATIENCE = 60


def start_xor(house: pilothouse.House, **arguments) -> pilothouse.Run:
    """The 2-2-1 tanh network on the four XOR patterns, from a state that is known."""
    return house.start(
        **{
            "net": "2x2tx1t",
            "data": (XOR_INPUTS, XOR_TARGETS),
            "loss": "half_mse",
            "eta": 0.1,
            "batch_size": "full",
            "precision": "float64",
            "initial_state": XOR_STATE,
        }
        | arguments
    )


def start_classes(house: pilothouse.House, **arguments) -> pilothouse.Run:
    """A classifier of points in three clusters."""
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 3, size=300)
    centres = np.array([[0, 3], [3, -2], [-3, -2]])
    inputs = centres[labels] + generator.normal(scale=0.5, size=(300, 2))
    return house.start(**{"net": "2x8rx3", "data": (inputs, labels), "loss": "cross_entropy"} | arguments)


def check_same_files(house: pilothouse.House, run: pilothouse.Run, folder: Path, format_name: str) -> None:
    """That pilot and this package write the same bytes when they export the run."""
    ours, theirs = folder / f"ours.{format_name}", folder / f"theirs.{format_name}"
    run.export(ours)
    pilot = Path(os.environ["PILOTHOUSE_BIN"]) / "pilot"
    subprocess.run([pilot, "--address", house.address, "export", run.run_id, theirs], check=True)
    assert ours.read_bytes() == theirs.read_bytes()
