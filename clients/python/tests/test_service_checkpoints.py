"""Checkpoints, rewinds and forks of a real service. Needs $PILOTHOUSE_BIN, the folder with the built programs."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from service_testing import PATIENCE, start_classes, start_xor

import pilothouse

#: The distribution's Python, which may have the distribution's PyTorch.
SYSTEM_PYTHON = "/usr/bin/python3"

#: What README and Checkpoint's documentation say, with arrays in place of safetensors.torch, which may not be there.
IN_PYTORCH = """
import sys, numpy, torch
layers = {name: torch.from_numpy(array) for name, array in numpy.load(sys.argv[1]).items()}
network = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3), torch.nn.Softmax(1))
for layer in (0, 2):
    weight, bias = layers[f"layers.{layer}.weight"], layers[f"layers.{layer}.bias"]
    network[layer].load_state_dict({"weight": weight.T, "bias": bias})
numpy.save(sys.argv[2], network(layers["inputs"]).detach().numpy())
"""


def trained(house: pilothouse.House, batch: int = 100, **arguments) -> pilothouse.Run:
    run = start_classes(house, seed=3, batch_to=batch, **arguments)
    run.wait(timeout=PATIENCE)
    return run


def test_a_checkpoint_is_a_safetensors_file_from_which_numpy_computes_what_the_run_predicts(real_house):
    run = trained(real_house, standardize=True, precision="float64")
    checkpoint = run.checkpoint(pin=True)
    layers = load_file(checkpoint.path)
    inputs = np.array([[0.0, 3.0], [3.0, -2.0], [0.1, 0.2]])
    standardized = (inputs - layers["standardize.mean"]) / layers["standardize.deviation"]
    hidden = np.maximum(standardized @ layers["layers.0.weight"] + layers["layers.0.bias"], 0)
    logits = hidden @ layers["layers.2.weight"] + layers["layers.2.bias"]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(run.predict(inputs), expected, rtol=1e-9)
    assert (checkpoint.batch, checkpoint.pinned, checkpoint.branch) == (100, True, "")
    assert (checkpoint.receipt.applied_batch, checkpoint.receipt.value) == (100, 100)
    content = checkpoint.path.read_bytes()
    assert (checkpoint.bytes, checkpoint.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    run.stop()


def test_pytorch_computes_what_the_run_predicts(real_house, tmp_path):
    if subprocess.run([SYSTEM_PYTHON, "-c", "import torch, numpy"], capture_output=True).returncode != 0:
        pytest.skip(f"{SYSTEM_PYTHON} has no torch: the distribution's package python3-torch")
    run = trained(real_house)
    inputs = np.array([[0, 3], [3, -2], [0.1, 0.2]], dtype=np.float32)
    layers = load_file(run.checkpoint().path)
    layers = {name: array for name, array in layers.items() if name.startswith("layers.")}
    np.savez(tmp_path / "layers.npz", inputs=inputs, **layers)
    files = [str(tmp_path / "layers.npz"), str(tmp_path / "outputs.npy")]
    subprocess.run([SYSTEM_PYTHON, "-c", IN_PYTORCH, *files], check=True)
    np.testing.assert_allclose(np.load(files[1]), run.predict(inputs), rtol=1e-4, atol=1e-6)
    run.stop()


def test_checkpoints_are_listed_newest_first_and_only_those_that_are_kept(real_house):
    run = start_xor(real_house, checkpoints=pilothouse.Checkpoints(interval=0, keep_last=2))
    for _ in range(4):
        run.train(10)
        run.wait(timeout=PATIENCE)
        run.checkpoint(pin=run.state().batch == 10)
    batches = [checkpoint.batch for checkpoint in run.checkpoints()]
    assert batches[:2] == [40, 30]
    assert batches[-1] == 10
    state = run.state()
    assert state.checkpoint_batch == 40
    assert state.checkpoint_time is not None
    assert run.checkpoints()[0].path.is_file()
    run.stop()


def test_checkpoints_that_are_damaged_or_gone_are_listed_as_such(real_house):
    run = start_xor(real_house, checkpoints=pilothouse.Checkpoints(interval=0))
    for _ in range(3):
        run.train(10)
        run.wait(timeout=PATIENCE)
        run.checkpoint(pin=True)
    first, second, _ = reversed(run.checkpoints())
    first.path.unlink()
    second.path.write_bytes(second.path.read_bytes()[:-1])
    found = {checkpoint.batch: checkpoint.condition for checkpoint in run.checkpoints()}
    condition = pilothouse.CheckpointCondition
    assert found == {30: condition.PRESENT, 20: condition.DAMAGED, 10: condition.GONE}
    run.stop()


def test_a_run_that_is_taken_back_is_where_it_was_and_learns_the_same_again(real_house):
    run = trained(real_house, 60)
    at_60 = run.state(vector=True).vector
    run.batch_to(100)
    run.wait(timeout=PATIENCE)
    at_100 = run.state(vector=True).vector
    receipt = run.rewind(60, branch="before", timeout=PATIENCE)
    assert (receipt.applied_batch, receipt.value, receipt.branch) == (100, 60, "before")
    state = run.state(vector=True)
    assert (state.batch, state.status, state.idle_reason) == (
        60,
        pilothouse.RunStatus.IDLE,
        pilothouse.IdleReason.PAUSED,
    )
    np.testing.assert_array_equal(state.vector, at_60)
    (branch,) = state.branches
    assert (branch.name, branch.from_batch, branch.through_batch) == ("before", 60, 100)
    run.batch_to(100)
    run.wait(timeout=PATIENCE)
    np.testing.assert_array_equal(run.state(vector=True).vector, at_100)
    with pytest.raises(pilothouse.BatchOutOfRange) as refused:
        run.rewind(101)
    assert refused.value.metadata["last_batch"] == "100"
    with pytest.raises(pilothouse.BranchAlreadyExists):
        run.rewind(60, branch="before")
    run.stop()


def test_the_history_of_a_branch_goes_on_over_the_batch_it_leaves_the_line_at(real_house):
    run = start_xor(real_house, loss_every=1, batch_to=40)
    run.wait(timeout=PATIENCE)
    branch = run.rewind(20, timeout=PATIENCE).branch
    run.set_eta(0.5)
    run.batch_to(30)
    run.wait(timeout=PATIENCE)
    line, left = run.losses(points=None), run.losses(points=None, branch=branch)
    assert line.batches.tolist() == list(range(1, 31))
    assert left.batches.tolist() == list(range(1, 41))
    np.testing.assert_array_equal(line.values[:20], left.values[:20])
    assert line.values[25] != left.values[25]
    assert len(run.losses(points=None, branch="*").batches) == 50
    run.stop()


def test_a_fork_begins_where_its_parent_was_and_goes_its_own_way(real_house):
    parent = trained(real_house, 60)
    at_60 = parent.state(vector=True).vector
    parent.batch_to(100)
    parent.wait(timeout=PATIENCE)
    at_100 = parent.state(vector=True).vector
    same = parent.fork(at=60, run_id="same")
    state = same.state(vector=True)
    assert (state.batch, state.parent) == (60, pilothouse.Lineage(parent.run_id, 60, ""))
    np.testing.assert_array_equal(state.vector, at_60)
    same.batch_to(100)
    same.wait(timeout=PATIENCE)
    np.testing.assert_array_equal(same.state(vector=True).vector, at_100)
    bolder = parent.fork(at=60, eta=0.3, plugins="checkpoint", batch_to=100, timeout=PATIENCE)
    assert bolder.wait(timeout=PATIENCE).eta == 0.3
    assert not np.array_equal(bolder.state(vector=True).vector, at_100)
    assert "checkpoint" in [plugin.kind for plugin in bolder.plugins()]
    np.testing.assert_array_equal(parent.state(vector=True).vector, at_100)
    for run in (same, bolder, parent):
        run.stop()


def test_a_branch_can_be_forked_and_an_unknown_one_is_refused(real_house):
    run = trained(real_house, 60)
    vector = run.state(vector=True).vector
    branch = run.rewind(20, timeout=PATIENCE).branch
    fork = run.fork(at=60, branch=branch, timeout=PATIENCE)
    np.testing.assert_array_equal(fork.state(vector=True).vector, vector)
    assert fork.state().parent == pilothouse.Lineage(run.run_id, 60, branch)
    with pytest.raises(pilothouse.BranchNotFound) as refused:
        run.fork(at=60, branch="nowhere")
    assert branch in refused.value.metadata["known"]
    with pytest.raises(pilothouse.BatchOutOfRange):
        run.fork(at=60)
    for ended in (fork, run):
        ended.stop()


def test_numbers_of_checkpoints_outside_their_range_are_refused_by_the_service(real_house):
    with pytest.raises(pilothouse.CheckpointsInvalid):
        start_xor(real_house, checkpoints=pilothouse.Checkpoints(interval=-1))


def test_when_checkpoints_are_made_can_be_changed(xor):
    assert xor.set("checkpoint_every", 5).value == 5
    assert xor.set("checkpoint_interval", 0).value == 0
    xor.batch_to(20)
    xor.wait(timeout=PATIENCE)
    # A later checkpoint is written after those that were asked for before.
    xor.checkpoint()
    written = {event.checkpoint_batch for event in xor.history(kinds="checkpoint")}
    assert written
    assert all(batch % 5 == 0 for batch in written)
    assert Path(xor.state().directory, "checkpoints").is_dir()
