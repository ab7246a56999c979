"""Whole trainings in a real service against PyTorch's, step by step: every layer, loss and optimizer.

Needs $PILOTHOUSE_BIN, the folder with the built programs, and the distribution's PyTorch.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass, field

import numpy as np
import pytest
from safetensors.numpy import load_file
from service_testing import PATIENCE

import pilothouse

#: The distribution's Python, which may have the distribution's PyTorch.
SYSTEM_PYTHON = "/usr/bin/python3"
STEPS = 100
#: An epoch has batches of 8, 8 and 6 examples.
BATCH_SIZE = 8
SEED = 2**40 + 5
RATE = 0.4
#: Both compute in float64, in another order and with another exp: a step adds some 1e-16, and what it added grows as
#: the trainings go on, in most of these cases to 1e-13 and in none beyond 1e-10. (It would where a tanh at the end has
#: almost reached 1, since nothing is left of 1 − y² then.) A formula that is wrong shows in the first digits.
CLOSE = {"rtol": 1e-9, "atol": 1e-11}

_random = np.random.default_rng(0)
INPUTS = _random.normal(size=(22, 3)) * [1, 3, 0.1] + [0, 5, -1]
#: Some are further from what a network says than 1, where huber changes over, and some are nearer.
NUMBERS = np.column_stack([INPUTS[:, 0] * (INPUTS[:, 1] - 5) / 2, np.sin(INPUTS[:, 1])])
TARGETS = {
    "cross_entropy": (NUMBERS[:, 0] > 0).astype(int),
    "binary_cross_entropy": (NUMBERS > 0).astype(float),
    "mse": NUMBERS,
    "half_mse": NUMBERS,
    "huber": NUMBERS,
}
#: No batch of weighted examples has the mean weight of all.
WEIGHTS = _random.uniform(0.25, 4, size=22)


@dataclass(frozen=True)
class Case:
    """The same training here and in PyTorch."""

    net: str
    loss: str = "cross_entropy"
    ours: str = "gradient_descent"
    theirs: str = "SGD"
    options: dict[str, object] = field(default_factory=dict)
    eta: float = 0.2
    clip_norm: float = 0
    clip_value: float = 0
    weighted: bool = False


#: Something of every kind, with every activation.
EVERYTHING = f"3x8bgd{RATE}x7nux6lx6btx5px5sd{RATE}x4rx2"
#: An epsilon that is not small: before a batch norm, the gradient of a bias is nothing but rounding errors, which the
#: usual one would make as large as eta.
BETAS_HERE, BETAS = "beta1=0.8 beta2=0.95 epsilon=1e-3 weight_decay=0.01", {"betas": [0.8, 0.95]}
DECAY, EPSILON = {"weight_decay": 0.01}, {"eps": 1e-3}

CASES = {
    "tanh": Case("3x6tx2"),
    "ReLU": Case("3x6rx2"),
    "leaky ReLU": Case("3x6lx2"),
    "sigmoid": Case("3x6sx2"),
    "GELU": Case("3x6gx2"),
    "SiLU": Case("3x6ux2"),
    "softplus": Case("3x6px2"),
    "layer norm": Case("3x6nx2"),
    "layer norms": Case("3x6ntx5nx2"),
    "batch norm": Case("3x6brx2"),
    "batch norms": Case("3x6bx5bx2"),
    "dropout": Case(f"3x6td{RATE}x2"),
    "dropout after norms": Case(f"3x6btd{RATE}x5nux5btd{RATE}x2"),
    "binary cross-entropy": Case("3x6tx2", "binary_cross_entropy"),
    "binary cross-entropy of a sigmoid": Case("3x6tx2s", "binary_cross_entropy"),
    "mse": Case("3x6tx2", "mse", eta=0.05),
    "mse of an activation": Case("3x6tx2t", "mse"),
    "half mse": Case("3x6tx2", "half_mse", eta=0.05),
    "huber": Case("3x6tx2", "huber"),
    "everything": Case(EVERYTHING),
    "weights, cross-entropy": Case("3x6tx2", weighted=True),
    "weights, binary cross-entropy": Case("3x6tx2", "binary_cross_entropy", weighted=True),
    "weights, mse": Case("3x6tx2", "mse", eta=0.05, weighted=True),
    "weights, half mse": Case("3x6tx2", "half_mse", eta=0.05, weighted=True),
    "weights, huber": Case("3x6tx2", "huber", weighted=True),
    "weights, everything": Case(EVERYTHING, eta=0.1, weighted=True),
    "everything, binary cross-entropy, momentum": Case(
        EVERYTHING,
        "binary_cross_entropy",
        "momentum momentum=0.8 weight_decay=0.01 clip_norm=0.3",
        options={"momentum": 0.8, **DECAY},
        eta=0.05,
        clip_norm=0.3,
    ),
    "everything, mse, Nesterov": Case(
        EVERYTHING,
        "mse",
        "nesterov momentum=0.8 weight_decay=0.01 clip_value=0.05",
        options={"momentum": 0.8, "nesterov": True, **DECAY},
        eta=0.05,
        clip_value=0.05,
    ),
    "everything, half mse, Adam": Case(
        EVERYTHING, "half_mse", f"adam {BETAS_HERE}", "Adam", {**BETAS, **EPSILON, **DECAY}, eta=0.01
    ),
    "everything, huber, AdamW": Case(
        EVERYTHING,
        "huber",
        f"adamw {BETAS_HERE} clip_norm=0.2 clip_value=0.1",
        "AdamW",
        {**BETAS, **EPSILON, **DECAY},
        eta=0.01,
        clip_norm=0.2,
        clip_value=0.1,
    ),
    "everything, huber, RMSProp": Case(
        EVERYTHING,
        "huber",
        "rmsprop rho=0.8 epsilon=1e-3 weight_decay=0.01 clip_value=0.1",
        "RMSprop",
        {"alpha": 0.8, **EPSILON, **DECAY},
        eta=0.01,
        clip_value=0.1,
    ),
    "everything, Adagrad": Case(
        EVERYTHING,
        ours="adagrad epsilon=1e-3 weight_decay=0.01 clip_norm=0.5",
        theirs="Adagrad",
        options={**EPSILON, **DECAY},
        eta=0.05,
        clip_norm=0.5,
    ),
}

#: Loads weights as README and Checkpoint's documentation say, with arrays in place of safetensors.torch, which may not
#: be there, and trains. Dropout multiplies by what it is given, since PyTorch draws other numbers.
IN_PYTORCH = """
import json, sys, numpy, torch
from torch import nn
from torch.nn import functional
torch.set_num_threads(1)

class Given(nn.Module):
    def __init__(self, factors):
        super().__init__()
        self.factors = factors
    def forward(self, x):
        return x * self.factors[self.step][: len(x)] if self.training else x

LAYERS = {
    "Affine": nn.Linear,
    "Layer": lambda _, width: nn.LayerNorm(width),
    "Batch": lambda _, width: nn.BatchNorm1d(width),
    "tanh": lambda *_: nn.Tanh(),
    "ReLU": lambda *_: nn.ReLU(),
    "leaky": lambda *_: nn.LeakyReLU(0.01),
    "sigmoid": lambda *_: nn.Sigmoid(),
    "GELU": lambda *_: nn.GELU(),
    "SiLU": lambda *_: nn.SiLU(),
    "softplus": lambda *_: nn.Softplus(),
}
LOSSES = {
    "cross_entropy": functional.cross_entropy,
    "binary_cross_entropy": functional.binary_cross_entropy_with_logits,
    "mse": functional.mse_loss,
    "half_mse": lambda y, t: ((y - t) ** 2).sum() / (2 * len(y)),
    "huber": functional.huber_loss,
}
# Of each example.
EACH = {
    "cross_entropy": lambda y, t: functional.cross_entropy(y, t, reduction="none"),
    "binary_cross_entropy": lambda y, t: functional.binary_cross_entropy_with_logits(y, t, reduction="none").mean(1),
    "mse": lambda y, t: functional.mse_loss(y, t, reduction="none").mean(1),
    "half_mse": lambda y, t: functional.mse_loss(y, t, reduction="none").sum(1) / 2,
    "huber": lambda y, t: functional.huber_loss(y, t, reduction="none").mean(1),
}
PREDICTED = {"cross_entropy": lambda y: y.softmax(1), "binary_cross_entropy": torch.sigmoid}

def build(shapes, arrays):
    layers = []
    for place, (kind, inputs, outputs) in enumerate(shapes):
        names = ("weight", "bias", "running_mean", "running_var")
        tensors = {name: arrays[key] for name in names if (key := f"layers.{place}.{name}") in arrays}
        if kind == "Affine":
            tensors["weight"] = tensors["weight"].T
        layer = Given(arrays[f"factors.{place}"]) if kind == "Dropout" else LAYERS[kind](inputs, outputs)
        layer = layer.double()
        layer.load_state_dict(tensors)
        layers.append(layer)
    return layers

def clip(case, parameters):
    if case["clip_norm"]:
        # torch.nn.utils.clip_grad_norm_ divides by a little more than the norm.
        norm = torch.cat([p.grad.flatten() for p in parameters]).norm()
        for p in parameters:
            p.grad *= min(1, case["clip_norm"] / norm)
    if case["clip_value"]:
        nn.utils.clip_grad_value_(parameters, case["clip_value"])

def loss_of(case, outputs, targets, weights, mean):
    if weights is None:
        return LOSSES[case["loss"]](outputs, targets)
    return (weights * EACH[case["loss"]](outputs, targets)).sum() / (len(outputs) * mean)

def train(case, layers, inputs, targets, weights, size, steps):
    # A sigmoid at the end is part of this loss.
    last = -1 if case["loss"] == "binary_cross_entropy" and isinstance(layers[-1], nn.Sigmoid) else None
    network = nn.Sequential(*layers[:last])
    parameters = list(network.parameters())
    optimizer = getattr(torch.optim, case["theirs"])(parameters, lr=case["eta"], **case["options"])
    starts = range(0, len(inputs), size)
    losses, states = [], []
    for step in range(steps):
        for layer in layers:
            layer.step = step
        start = starts[step % len(starts)]
        batch = slice(start, start + size)
        weighed = (None, 1) if weights is None else (weights[batch], weights.mean())
        loss = loss_of(case, network(inputs[batch]), targets[batch], *weighed)
        optimizer.zero_grad()
        loss.backward()
        clip(case, parameters)
        optimizer.step()
        losses.append(loss.item())
        parts = [getattr(layer, name, None) for layer in layers for name in ("weight", "bias")]
        states.append(torch.cat([part.detach().t().flatten() for part in parts if part is not None]).numpy())
    network.eval()
    predicted = PREDICTED.get(case["loss"], lambda y: y)(network(inputs)).detach()
    answers = {"losses": losses, "states": states, "predicted": predicted}
    for place, layer in enumerate(layers):
        answers |= {f"layers.{place}.{name}": array for name, array in layer.named_buffers() if "running" in name}
    return answers

task = json.load(open(sys.argv[1]))
answers = {}
for number, case in enumerate(task["cases"]):
    arrays = {name: torch.from_numpy(array) for name, array in numpy.load(f"{sys.argv[2]}/{number}.npz").items()}
    layers = build(case["layers"], arrays)
    examples = (arrays["inputs"], arrays["targets"], arrays.get("weights"))
    result = train(case, layers, *examples, task["batch_size"], task["steps"])
    numpy.savez(f"{sys.argv[2]}/answers-{number}.npz", **{name: numpy.array(array) for name, array in result.items()})
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


def start(house: pilothouse.House, case: Case) -> pilothouse.Run:
    return house.start(
        net=case.net,
        data=(INPUTS, TARGETS[case.loss]),
        weights=WEIGHTS if case.weighted else None,
        loss=case.loss,
        optimizer=case.ours,
        eta=case.eta,
        batch_size=BATCH_SIZE,
        precision="float64",
        keep_order=True,
        seed=SEED,
        state_every=1,
        loss_every=1,
    )


def beginning(run: pilothouse.Run, case: Case) -> tuple[list[tuple[str, int, int]], dict[str, np.ndarray]]:
    """The layers of a run, and the arrays that PyTorch needs to go the same way."""
    layers: list[tuple[str, int, int]] = []
    for layer in run.state().facts.layers:
        layers.append((layer.description.split()[0], layers[-1][2] if layers else INPUTS.shape[1], layer.outputs))
    arrays = {"inputs": INPUTS, "targets": TARGETS[case.loss], **load_file(run.checkpoint().path)}
    if case.weighted:
        arrays["weights"] = WEIGHTS
    for place, (kind, _, width) in enumerate(layers):
        if kind == "Dropout":
            arrays[f"factors.{place}"] = np.array([factors(step + 1, place, width) for step in range(STEPS)])
    return layers, arrays


def trained(run: pilothouse.Run) -> dict[str, np.ndarray]:
    """What a run comes to: losses and states after each step, predictions and running statistics at the end."""
    run.batch_to(STEPS)
    run.wait(timeout=PATIENCE)
    running = {name: array for name, array in load_file(run.checkpoint().path).items() if "running" in name}
    predicted = run.predict(INPUTS)
    run.stop()
    events = list(run.watch(after_sequence=0, kinds=["state", "loss"], min_interval=0))
    losses = {event.batch: event.value for event in events if isinstance(event, pilothouse.LossEvent)}
    states = {event.batch: event.vector for event in events if isinstance(event, pilothouse.StateEvent)}
    steps = range(1, STEPS + 1)
    in_order = {"losses": [losses[step] for step in steps], "states": [states[step] for step in steps]}
    return {"predicted": predicted, **running, **{name: np.array(values) for name, values in in_order.items()}}


@pytest.fixture(scope="module")
def both(real_house, tmp_path_factory):
    """What the runs, and PyTorch from the same beginnings, come to, by the names of the cases."""
    if subprocess.run([SYSTEM_PYTHON, "-c", "import torch, numpy"], capture_output=True).returncode != 0:
        pytest.skip(f"{SYSTEM_PYTHON} has no torch: the distribution's package python3-torch")
    folder = tmp_path_factory.mktemp("pytorch")
    cases, ours = [], []
    for number, case in enumerate(CASES.values()):
        run = start(real_house, case)
        layers, arrays = beginning(run, case)
        np.savez(folder / f"{number}.npz", **arrays)
        cases.append({"layers": layers, **asdict(case)})
        ours.append(trained(run))
    (folder / "task.json").write_text(json.dumps({"cases": cases, "batch_size": BATCH_SIZE, "steps": STEPS}))
    subprocess.run([SYSTEM_PYTHON, "-c", IN_PYTORCH, str(folder / "task.json"), str(folder)], check=True)
    theirs = [dict(np.load(folder / f"answers-{number}.npz")) for number in range(len(CASES))]
    return {name: (ours[number], theirs[number]) for number, name in enumerate(CASES)}


@pytest.mark.parametrize("name", CASES)
def test_every_step_and_what_is_predicted_after_are_those_of_pytorch(both, name):
    ours, theirs = both[name]
    assert ours.keys() == theirs.keys()
    assert len([tensor for tensor in ours if "running" in tensor]) == 2 * CASES[name].net.count("b")
    for what, values in theirs.items():
        np.testing.assert_allclose(ours[what], values, **CLOSE, err_msg=what)
    assert not np.isclose(ours["losses"][0], ours["losses"][-1], rtol=1e-3), "it has hardly learnt"
