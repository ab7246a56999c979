"""The losses of a classifier of handwritten digits, as tests/golden holds them, to the last bit.

More: trainer/loop/golden_loss_test.cc.

Needs $PILOTHOUSE_BIN, the folder with the built programs, and scikit-learn, which the digits come with.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from service_testing import PATIENCE

import pilothouse

GOLDEN = Path(__file__).resolve().parents[3] / "tests" / "golden" / "digits.txt"
#: With this in the environment, the file is written instead, and the test is skipped.
WRITE = "PILOTHOUSE_WRITE_GOLDEN"
#: An epoch has 57, the last of 5 examples.
BATCHES = [1, 2, 3, 5, 10, 20, 56, 57, 58, 80, 100]
DESCRIPTION = """\
64x128rx64rx10 on scikit-learn's digits, standardised, cross_entropy, float32, batches of 32, eta 0.1"""


def golden() -> dict[int, float]:
    lines = GOLDEN.read_text(encoding="utf-8").splitlines()
    pairs = [line.split() for line in lines if not line.startswith("#")]
    return {int(batch): float.fromhex(loss) for batch, loss in pairs}


def write(losses: dict[int, float]) -> None:
    lines = [f"# {DESCRIPTION}", *(f"{batch} {losses[batch].hex()}" for batch in BATCHES)]
    GOLDEN.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_digits_are_learnt_along_the_curve_that_is_written_down(real_house):
    datasets = pytest.importorskip(
        "sklearn.datasets", reason="scikit-learn is not installed, which the digits come with"
    )
    digits = datasets.load_digits()
    run = real_house.start(
        net="64x128rx64rx10",
        data=(digits.data, digits.target),
        loss="cross_entropy",
        eta=0.1,
        batch_size=32,
        precision="float32",
        standardize=True,
        seed=3,
        loss_every=1,
        batch_to=BATCHES[-1],
    )
    run.wait(timeout=PATIENCE)
    run.stop()
    events = run.watch(after_sequence=0, kinds=["loss"], min_interval=0)
    losses = {event.batch: event.value for event in events if isinstance(event, pilothouse.LossEvent)}
    if os.environ.get(WRITE):
        write(losses)
        pytest.skip(f"wrote {GOLDEN}")
    assert list(golden()) == BATCHES
    assert {batch: losses[batch] for batch in BATCHES} == golden(), "to the last bit"
