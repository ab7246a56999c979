"""Dropout and batch norms in a real service. Needs $PILOTHOUSE_BIN, the folder with the built programs."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest
from safetensors.numpy import load_file
from service_testing import PATIENCE

import pilothouse

#: The distribution's Python, which may have the distribution's PyTorch.
SYSTEM_PYTHON = "/usr/bin/python3"
STEPS = 30
#: An epoch has batches of 8, 8 and 6 examples.
BATCH_SIZE = 8
SEED = 2**40 + 5
RATE = 0.4

_random = np.random.default_rng(0)
INPUTS = _random.normal(size=(22, 3)) * [1, 3, 0.1] + [0, 5, -1]
LABELS = (INPUTS[:, 0] * (INPUTS[:, 1] - 5) > 0).astype(int)

NETS = {
    "batch norm": "3x6brx2",
    "batch norms alone": "3x6bx5bx2",
    "dropout": f"3x6td{RATE}x2",
    "both": f"3x6btd{RATE}x5nux5btd{RATE}x2",
}

#: Loads weights as README and Checkpoint's documentation say, with arrays in place of safetensors.torch, which may not
#: be there, and trains. Dropout multiplies by what it is given, since PyTorch draws other numbers.
IN_PYTORCH = """
import json, sys, numpy, torch
from torch import nn
torch.set_num_threads(1)
task = json.load(open(sys.argv[1]))
arrays = {name: torch.from_numpy(array) for name, array in numpy.load(sys.argv[2]).items()}

class Given(nn.Module):
    def __init__(self, factors):
        super().__init__()
        self.factors = factors
    def forward(self, x):
        return x * self.factors[step][: len(x)] if self.training else x

layers = []
for place, (kind, inputs, outputs) in enumerate(task["layers"]):
    tensors = {name: arrays.get(f"layers.{place}.{name}") for name in ("weight", "bias", "running_mean", "running_var")}
    tensors = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    if kind == "Affine":
        layer, tensors["weight"] = nn.Linear(inputs, outputs), tensors["weight"].T
    elif kind == "Dropout":
        layer = Given(arrays[f"factors.{place}"])
    else:
        layer = {
            "Layer": lambda: nn.LayerNorm(outputs),
            "Batch": lambda: nn.BatchNorm1d(outputs),
            "tanh": nn.Tanh,
            "ReLU": nn.ReLU,
            "SiLU": nn.SiLU,
        }[kind]()
    layer = layer.double()
    layer.load_state_dict(tensors)
    layers.append(layer)
network = nn.Sequential(*layers)
optimizer = torch.optim.SGD(network.parameters(), lr=task["eta"])
inputs, labels, size = arrays["inputs"], arrays["labels"], task["batch_size"]
starts = range(0, len(inputs), size)
losses, states = [], []
for step in range(task["steps"]):
    start = starts[step % len(starts)]
    loss = nn.functional.cross_entropy(network(inputs[start : start + size]), labels[start : start + size])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    parts = [getattr(layer, name, None) for layer in layers for name in ("weight", "bias")]
    states.append(torch.cat([part.detach().t().flatten() for part in parts if part is not None]).numpy())
network.eval()
answers = {"losses": losses, "states": states, "predicted": network(inputs).softmax(1).detach()}
for place, layer in enumerate(layers):
    answers |= {f"layers.{place}.{name}": array for name, array in layer.named_buffers() if "running" in name}
numpy.savez(sys.argv[3], **{name: numpy.array(array) for name, array in answers.items()})
"""


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10, as its authors describe it."""
    a, b, c, d = counter
    first, second = key
    for _ in range(10):
        left, right = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = right >> 32 ^ b ^ first, right % 2**32, left >> 32 ^ d ^ second, left % 2**32
        first, second = (first + 0x9E3779B9) % 2**32, (second + 0xBB67AE85) % 2**32
    return [a, b, c, d]


def factors(batch: int, layer: int, width: int) -> np.ndarray:
    """What dropout multiplies a full batch by: 0 where the draw of 32 bits lies below the rate."""
    words: list[int] = []
    while len(words) < BATCH_SIZE * width:
        position, stream = (layer << 40) + len(words) // 4, batch | 5 << 56
        counter = [position % 2**32, position >> 32, stream % 2**32, stream >> 32]
        words += philox(counter, [SEED % 2**32, SEED >> 32])
    drawn = np.array(words[: BATCH_SIZE * width]).reshape(BATCH_SIZE, width)
    return np.where(drawn < round(RATE * 2**32), 0, 1 / (1 - RATE))


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


def in_pytorch(folder, run: pilothouse.Run) -> dict[str, np.ndarray]:
    """What PyTorch comes to from the beginning of a run."""
    layers: list[tuple[str, int, int]] = []
    for layer in run.state().facts.layers:
        layers.append((layer.description.split()[0], layers[-1][2] if layers else INPUTS.shape[1], layer.outputs))
    arrays = {"inputs": INPUTS, "labels": LABELS} | load_file(run.checkpoint().path)
    for place, (kind, _, width) in enumerate(layers):
        if kind == "Dropout":
            arrays[f"factors.{place}"] = np.array([factors(step + 1, place, width) for step in range(STEPS)])
    task = {"layers": layers, "eta": 0.2, "batch_size": BATCH_SIZE, "steps": STEPS}
    (folder / "task.json").write_text(json.dumps(task))
    np.savez(folder / "arrays.npz", **arrays)
    files = [str(folder / name) for name in ("task.json", "arrays.npz", "answers.npz")]
    subprocess.run([SYSTEM_PYTHON, "-c", IN_PYTORCH, *files], check=True)
    with np.load(files[2]) as answers:
        return dict(answers)


@pytest.mark.parametrize("name", NETS)
def test_every_step_and_what_is_predicted_after_are_those_of_pytorch(real_house, tmp_path, name):
    if subprocess.run([SYSTEM_PYTHON, "-c", "import torch, numpy"], capture_output=True).returncode != 0:
        pytest.skip(f"{SYSTEM_PYTHON} has no torch: the distribution's package python3-torch")
    run = start(real_house, NETS[name], state_every=1, loss_every=1)
    theirs = in_pytorch(tmp_path, run)
    run.batch_to(STEPS)
    run.wait(timeout=PATIENCE)
    ours = load_file(run.checkpoint().path)
    predicted = run.predict(INPUTS)
    run.stop()
    events = list(run.watch(after_sequence=0, kinds=["state", "loss"], min_interval=0))
    losses = {event.batch: event.value for event in events if isinstance(event, pilothouse.LossEvent)}
    states = {event.batch: event.vector for event in events if isinstance(event, pilothouse.StateEvent)}
    steps = range(1, STEPS + 1)
    np.testing.assert_allclose([losses[step] for step in steps], theirs["losses"], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose([states[step] for step in steps], theirs["states"], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(predicted, theirs["predicted"], rtol=1e-9, atol=1e-11)
    running = {name for name in ours if "running" in name}
    assert len(running) == 2 * NETS[name].count("b")
    assert running == {name for name in theirs if "running" in name}
    for tensor in running:
        np.testing.assert_allclose(ours[tensor], theirs[tensor], rtol=1e-9, atol=1e-11, err_msg=tensor)


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
    run = start(real_house, NETS["both"], batch_to=20)
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
        start(real_house, NETS["batch norm"], batch_size=7)
    assert caught.value.field == "spec.batch_size"
    with pytest.raises(pilothouse.NetInvalid) as caught:
        start(real_house, "3x6bd1x2")
    assert caught.value.metadata["position"] == "6"
