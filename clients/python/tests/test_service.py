"""Runs of a real service. Needs $PILOTHOUSE_BIN, the folder with the built programs."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest
from service_testing import PATIENCE, XOR_INPUTS, XOR_STATE, XOR_TARGETS, start_classes, start_xor

import pilothouse


def test_the_losses_of_the_xor_network_are_the_known_ones(real_house):
    run = start_xor(real_house, loss_every=1)
    run.batch_to(50)
    run.wait(timeout=PATIENCE)
    run.stop()
    losses = {
        event.batch: event.value
        for event in run.watch(after_sequence=0, kinds=["loss"], min_interval=0)
        if isinstance(event, pilothouse.LossEvent)
    }
    assert losses[1] == pytest.approx(0.545515713358, abs=1e-9)
    assert losses[2] == pytest.approx(0.540930747879, abs=1e-9)
    assert losses[50] == pytest.approx(0.140791682357, abs=1e-9)


def test_a_run_begins_idle_at_batch_0_with_the_state_it_was_given(xor):
    state = xor.state(vector=True)
    assert (state.status, state.batch, state.target, state.loss) == (pilothouse.RunStatus.IDLE, 0, 0, -1)
    np.testing.assert_array_equal(state.vector, XOR_STATE)
    assert state.facts.parameters == 9
    assert (state.facts.examples, state.facts.inputs, state.facts.outputs) == (4, 2, 1)


def test_a_target_is_reached_and_its_loss_reported(xor):
    receipt = xor.batch_to(50)
    assert (receipt.applied_batch, receipt.value) == (0, 50)
    state = xor.wait(timeout=PATIENCE)
    assert (state.batch, state.idle_reason) == (50, pilothouse.IdleReason.TARGET_REACHED)
    with xor.watch(after_sequence=0, kinds=["loss"]) as watch:
        at_target = next(event for event in watch if isinstance(event, pilothouse.LossEvent) and event.at_target)
    assert at_target.batch == 50
    assert at_target.value == pytest.approx(0.140791682357, abs=1e-9)


def test_more_batches_are_counted_from_where_the_run_is(xor):
    xor.batch_to(10)
    xor.wait(timeout=PATIENCE)
    assert xor.train(15).value == 25
    assert xor.wait(timeout=PATIENCE).batch == 25


def test_eta_set_while_idle_is_applied_and_reported_at_once(xor):
    with xor.watch(kinds=["control"]) as watch:
        next(watch)
        receipt = xor.set_eta(0.5, note="bolder")
        event = next(event for event in watch if isinstance(event, pilothouse.ControlEvent))
    assert (receipt.applied_batch, receipt.value) == (0, 0.5)
    assert (event.sequence, event.name, event.value) == (receipt.control_id, "eta", 0.5)
    assert (event.previous_value, event.note) == (0.1, "bolder")
    assert xor.state().eta == 0.5


def test_the_same_request_id_gives_the_same_receipt_and_no_second_change(xor):
    first = xor.batch_to(10, request_id="once")
    xor.wait(timeout=PATIENCE)
    xor.batch_to(20)
    assert xor.batch_to(10, request_id="once") == first
    assert xor.state().target == 20
    with pytest.raises(pilothouse.RequestIdReused):
        xor.batch_to(30, request_id="once")


def test_a_control_takes_effect_at_exactly_the_batch_asked_for(xor):
    receipts = []
    thread = threading.Thread(target=lambda: receipts.append(xor.set_eta(0.05, at_batch=30, timeout=PATIENCE)))
    thread.start()
    # Walked there one batch at a time, the run leaves the request all the time it needs to arrive before batch 30.
    while xor.state().batch < 30:
        xor.train(1)
        xor.wait(timeout=PATIENCE)
    thread.join()
    assert (receipts[0].applied_batch, receipts[0].value) == (30, 0.05)
    xor.train(1)
    xor.wait(timeout=PATIENCE)
    with pytest.raises(pilothouse.BatchAlreadyPassed):
        xor.set_eta(0.05, at_batch=30)


def test_a_run_is_paused_and_resumed(xor):
    xor.batch_to(10**9)
    xor.wait(1, timeout=PATIENCE)
    paused = xor.pause()
    state = xor.wait(timeout=PATIENCE)
    assert state.idle_reason is pilothouse.IdleReason.PAUSED
    assert state.batch == paused.applied_batch == paused.value
    assert state.resume_target == 10**9
    assert xor.resume().value == 10**9
    assert xor.wait(state.batch + 1, timeout=PATIENCE).batch > state.batch
    # A target below the batch pauses, too.
    xor.batch_to(1)
    assert xor.wait(timeout=PATIENCE).idle_reason is pilothouse.IdleReason.PAUSED


def test_a_target_equal_to_the_batch_is_acknowledged_and_takes_no_step(xor):
    xor.batch_to(10)
    xor.wait(timeout=PATIENCE)
    receipt = xor.batch_to(10)
    assert (receipt.applied_batch, receipt.value) == (10, 10)
    assert xor.state().batch == 10


def test_predictions_are_those_of_the_known_network(xor):
    hidden = np.tanh(XOR_INPUTS @ XOR_STATE[:4].reshape(2, 2) + XOR_STATE[4:6])
    expected = np.tanh(hidden @ XOR_STATE[6:8].reshape(2, 1) + XOR_STATE[8])
    np.testing.assert_allclose(xor.predict(XOR_INPUTS), expected, rtol=1e-12)
    np.testing.assert_allclose(xor.predict(XOR_INPUTS[0]), expected[0], rtol=1e-12)


def test_a_stopped_run_tells_where_it_ended_and_still_predicts(xor):
    xor.batch_to(50)
    xor.wait(timeout=PATIENCE)
    before = xor.predict(XOR_INPUTS)
    vector = xor.state(vector=True).vector
    stopped = xor.stop()
    assert (stopped.final_batch, stopped.value) == (50, 50)
    assert stopped.final_loss == pytest.approx(0.140791682357, abs=1e-9)
    state = xor.state(vector=True)
    assert state.status is pilothouse.RunStatus.STOPPED
    assert state.end_time is not None
    np.testing.assert_array_equal(state.vector, vector)
    np.testing.assert_array_equal(xor.predict(XOR_INPUTS), before)
    for control in (
        xor.stop,
        xor.pause,
        lambda: xor.set_eta(0.1),
        lambda: xor.set("loss_every", 1),
        lambda: xor.batch_to(100),
    ):
        with pytest.raises(pilothouse.RunEnded):
            control()


def test_a_classifier_learns_and_answers_with_probabilities(real_house):
    run = start_classes(real_house, standardize=True, batch_to=500, seed=3)
    run.wait(timeout=PATIENCE)
    run.stop()
    probabilities = run.predict(np.array([[0, 3], [3, -2], [-3, -2]]))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert probabilities.argmax(axis=1).tolist() == [0, 1, 2]


def test_the_same_description_gives_the_same_run(real_house):
    vectors = []
    for _ in range(2):
        run = start_classes(real_house, batch_to=100, seed=7)
        run.wait(timeout=PATIENCE)
        vectors.append(run.state(vector=True).vector)
        run.stop()
    np.testing.assert_array_equal(*vectors)


def test_a_file_is_uploaded_and_its_columns_chosen_by_name(real_house, tmp_path):
    file = tmp_path / "xor.csv"
    rows = "\n".join(f"{y},{a},{b}" for (a, b), y in zip(XOR_INPUTS, XOR_TARGETS, strict=True))
    file.write_text(f"answer,a,b\n{rows}\n")
    run = start_xor(real_house, data=file, target_columns=["answer"], batch_to=1)
    run.wait(timeout=PATIENCE)
    assert run.stop().final_loss == pytest.approx(0.545515713358, abs=1e-9)


def test_runs_are_listed_newest_first_and_found_by_their_id(real_house):
    first, second = start_xor(real_house), start_xor(real_house, run_id="chosen-name")
    ids = [state.run_id for state in real_house.runs()]
    assert ids[:2] == ["chosen-name", first.run_id]
    assert real_house.run("chosen-name").state().facts.parameters == 9
    with pytest.raises(pilothouse.RunAlreadyExists):
        start_xor(real_house, run_id="chosen-name")
    first.stop()
    second.stop()


def test_a_net_of_layers_is_the_same_as_its_shorthand(real_house):
    layers = [pilothouse.Affine(2, 2), pilothouse.Map("tanh"), pilothouse.Affine(2, 1), pilothouse.Map("tanh")]
    run = start_xor(real_house, net=layers, batch_to=1)
    run.wait(timeout=PATIENCE)
    assert run.stop().final_loss == pytest.approx(0.545515713358, abs=1e-9)


def test_a_net_with_layer_norms_learns_and_computes_what_numpy_computes(real_house):
    layers = [pilothouse.Affine(2, 4), pilothouse.LayerNorm(4), pilothouse.Map("silu"), pilothouse.Affine(4, 1)]
    told = {"loss": "huber", "initializer": "he", "initial_state": None, "batch_to": 200}
    run = start_xor(real_house, net=layers, **told)
    same = start_xor(real_house, net="2x4nux1", **told)
    state, other = run.wait(timeout=PATIENCE), same.wait(timeout=PATIENCE)
    shown = [(layer.description, layer.outputs, layer.parameters) for layer in run.state().facts.layers]
    assert shown == [("Affine 2→4", 4, 12), ("Layer norm", 4, 8), ("SiLU", 4, 0), ("Affine 4→1", 1, 5)]
    assert 0 < state.loss == other.loss < 0.125, "less than that of answering 0"
    vector = run.state(vector=True).vector
    assert vector.shape == (25,)
    weights, biases, gains, shifts = vector[:8].reshape(2, 4), vector[8:12], vector[12:16], vector[16:20]
    hidden = XOR_INPUTS @ weights + biases
    hidden = hidden - hidden.mean(axis=1, keepdims=True)
    hidden = hidden / np.sqrt((hidden**2).mean(axis=1, keepdims=True) + 1e-5) * gains + shifts
    outputs = hidden / (1 + np.exp(-hidden)) @ vector[20:24] + vector[24]
    np.testing.assert_allclose(np.ravel(run.predict(XOR_INPUTS)), outputs, rtol=1e-12, atol=1e-12)
    run.stop()
    same.stop()


def test_a_loss_that_is_not_finite_is_reported_and_does_not_end_the_run(real_house):
    # Every step doubles the error and more: the loss leaves the range of float64 after some hundreds of steps.
    run = real_house.start(
        net="1x1",
        data=([[1.0], [2.0]], [1.0, 2.0]),
        loss="mse",
        eta=10.0,
        precision="float64",
        batch_size="full",
        batch_to=10**6,
    )
    state = run.wait(timeout=PATIENCE)
    assert (state.status, state.idle_reason) == (pilothouse.RunStatus.IDLE, pilothouse.IdleReason.DIVERGED)
    assert not math.isfinite(state.loss)
    run.stop()
