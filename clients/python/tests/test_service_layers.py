"""Dropout and batch norms in a real service. Needs $PILOTHOUSE_BIN, the folder with the built programs."""

from __future__ import annotations

import numpy as np
import pytest
from service_testing import PATIENCE

import pilothouse

STEPS = 30
#: An epoch has batches of 8, 8 and 6 examples.
BATCH_SIZE = 8
SEED = 2**40 + 5
RATE = 0.4

_random = np.random.default_rng(0)
INPUTS = _random.normal(size=(22, 3)) * [1, 3, 0.1] + [0, 5, -1]
LABELS = (INPUTS[:, 0] * (INPUTS[:, 1] - 5) > 0).astype(int)

BATCH_NORM = "3x6brx2"
BOTH = f"3x6btd{RATE}x5nux5btd{RATE}x2"


def start(house: pilothouse.House, net, **arguments) -> pilothouse.Run:
    told = {
        "data": (INPUTS, LABELS),
        "loss": "cross_entropy",
        "eta": 0.2,
        "batch_size": BATCH_SIZE,
        "precision": "float64",
        "keep_order": True,
        "seed": SEED,
    }
    return house.start(net=net, **(told | arguments))


def test_layers_are_shown_with_their_parameters_and_are_the_same_as_their_shorthand(real_house):
    layers = [
        pilothouse.Affine(3, 6),
        pilothouse.BatchNorm(6),
        pilothouse.Map("tanh"),
        pilothouse.Dropout(RATE),
        pilothouse.Affine(6, 2),
    ]
    run = start(real_house, layers, batch_to=STEPS)
    same = start(real_house, f"3x6btd{RATE}x2", batch_to=STEPS)
    assert run.wait(timeout=PATIENCE).loss == same.wait(timeout=PATIENCE).loss
    shown = [(layer.description, layer.outputs, layer.parameters) for layer in run.state().facts.layers]
    assert shown == [
        ("Affine 3→6", 6, 24),
        ("Batch norm", 6, 12),
        ("tanh", 6, 0),
        ("Dropout 0.4", 6, 0),
        ("Affine 6→2", 2, 14),
    ]
    np.testing.assert_array_equal(run.predict(INPUTS), same.predict(INPUTS))
    for ended in (run, same):
        ended.stop()
    np.testing.assert_array_equal(run.predict(INPUTS), same.predict(INPUTS))


def test_a_run_with_dropout_and_batch_norms_that_is_taken_back_and_forked_goes_the_same_way(real_house):
    run = start(real_house, BOTH, batch_to=20)
    run.wait(timeout=PATIENCE)
    run.checkpoint(pin=True)
    run.batch_to(40)
    run.wait(timeout=PATIENCE)
    hashed = run.checkpoint().state_sha256
    predicted = run.predict(INPUTS)
    run.rewind(23, timeout=PATIENCE)
    fork = run.fork(at=23, timeout=PATIENCE)
    for again in (run, fork):
        again.batch_to(40)
        again.wait(timeout=PATIENCE)
        assert again.checkpoint().state_sha256 == hashed
        np.testing.assert_array_equal(again.predict(INPUTS), predicted)
        again.stop()


def test_batches_of_one_example_are_refused_where_there_are_batch_norms(real_house):
    with pytest.raises(pilothouse.SpecInvalid, match="two examples") as caught:
        start(real_house, BATCH_NORM, batch_size=7)
    assert caught.value.field == "spec.batch_size"
    with pytest.raises(pilothouse.NetInvalid) as caught:
        start(real_house, "3x6bd1x2")
    assert caught.value.metadata["position"] == "6"
