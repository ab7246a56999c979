"""Runs of a real service whose eta follows a schedule."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from service_testing import PATIENCE, XOR_INPUTS, XOR_STATE, XOR_TARGETS, check_same_files, start_xor

import pilothouse


def cosine(step: int, *, eta: float, over: int, warmup: int) -> float:
    """The eta of a learning step; the first is 1. One batch is an epoch."""
    done = step - 1
    if done < warmup:
        return eta * min(1.0, step / warmup)
    if done >= over:
        return eta / 1000
    part = (done - warmup) / (over - warmup)
    return eta / 1000 + (eta - eta / 1000) * (1 + math.cos(math.pi * part)) / 2


def momentum_losses(etas: list[float]) -> list[float]:
    """The losses of the 2-2-1 tanh network on the XOR patterns, worked out with numpy."""
    state, velocity, losses = XOR_STATE.copy(), np.zeros(9), []
    targets = XOR_TARGETS[:, None]
    for eta in etas:
        first, first_bias, second, second_bias = state[:4].reshape(2, 2), state[4:6], state[6:8, None], state[8]
        hidden = np.tanh(XOR_INPUTS @ first + first_bias)
        output = np.tanh(hidden @ second + second_bias)
        losses.append(float(((output - targets) ** 2).sum() / (2 * len(targets))))
        back = (output - targets) / len(targets) * (1 - output**2)
        inner = back @ second.T * (1 - hidden**2)
        gradient = np.concatenate(
            [(XOR_INPUTS.T @ inner).ravel(), inner.sum(0), (hidden.T @ back).ravel(), back.sum(0)]
        )
        velocity = 0.9 * velocity + gradient
        state = state - eta * velocity
    return losses


def test_every_step_is_made_with_the_scheduled_eta(real_house):
    run = start_xor(
        real_house,
        eta=0.2,
        eta_schedule="cosine over=60 warmup=5",
        optimizer="momentum",
        loss_every=1,
        batch_to=70,
    )
    run.wait(timeout=PATIENCE)
    state = run.state()
    assert (state.eta, state.eta_schedule) == (pytest.approx(0.0002), "cosine over=60 warmup=5")
    assert state.eta_follows_schedule
    run.stop()
    frame = run.history(kinds="loss").frame()
    assert frame["batch"].tolist() == list(range(1, 71))
    etas = [cosine(step, eta=0.2, over=60, warmup=5) for step in range(1, 72)]
    np.testing.assert_allclose(frame["eta"], etas[1:], rtol=1e-12)
    np.testing.assert_allclose(frame["value"], momentum_losses(etas[:70]), rtol=1e-10)


@pytest.fixture
def scheduled(real_house):
    """A run whose eta followed its schedule, was set, and follows it again; ended."""
    run = start_xor(real_house, eta=0.2, eta_schedule="cosine over=30", loss_every=1, state_every=20, batch_to=10)
    for batch, change in ((10, lambda: run.set_eta(0.3)), (15, run.follow_eta_schedule), (25, run.stop)):
        run.batch_to(batch)
        run.wait(timeout=PATIENCE)
        change()
    return run


def test_the_observatorys_log_tells_every_scheduled_eta(scheduled, tmp_path):
    scheduled.export(tmp_path / "t1.jsons")
    lines = [json.loads(line) for line in (tmp_path / "t1.jsons").read_text().splitlines()]
    etas = dict(line["eta"] for line in lines if "eta" in line)
    assert list(etas) == [*range(11), *range(15, 26)]
    assert etas == pytest.approx(
        {batch: 0.3 if batch == 10 else cosine(batch + 1, eta=0.2, over=30, warmup=0) for batch in etas}
    )


@pytest.mark.parametrize("format_name", ["csv", "jsonl", "jsons"])
def test_pilot_writes_the_same_files_of_a_scheduled_run(real_house, scheduled, tmp_path, format_name):
    check_same_files(real_house, scheduled, tmp_path, format_name)


def test_whoever_sets_eta_overrides_the_schedule_until_it_is_followed_again(real_house):
    run = start_xor(real_house, eta_schedule="20,0.05;40,0.02", batch_to=10)
    run.wait(timeout=PATIENCE)
    run.set_eta(0.3)
    assert not run.state().eta_follows_schedule
    run.batch_to(45)
    assert run.wait(timeout=PATIENCE).eta == 0.3
    receipt = run.follow_eta_schedule()
    assert (receipt.applied_batch, receipt.value) == (45, 0.02)
    state = run.state()
    assert state.eta_follows_schedule
    assert state.knobs["eta"].value == 0.02
    fork = run.fork(at=30, eta=0.5, eta_schedule="32,0.25", train=2)
    assert fork.wait(timeout=PATIENCE).eta == 0.25
    fork.stop()
    run.stop()


def test_a_schedule_that_cannot_be_read_is_refused_with_the_entry(real_house):
    with pytest.raises(pilothouse.EtaScheduleInvalid, match='Entry 2, "70"') as caught:
        start_xor(real_house, eta_schedule="50,0.01;70")
    assert caught.value.field == "spec.eta_schedule"
