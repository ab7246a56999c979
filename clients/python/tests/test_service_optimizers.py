"""Optimizers in a real service. Needs $PILOTHOUSE_BIN, the folder with the built programs."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass, field

import numpy as np
import pytest
from service_testing import PATIENCE, XOR_INPUTS, XOR_STATE, XOR_TARGETS, start_xor

import pilothouse

#: The distribution's Python, which may have the distribution's PyTorch.
SYSTEM_PYTHON = "/usr/bin/python3"
STEPS = 100


@dataclass(frozen=True)
class Case:
    """The same optimizer here and in PyTorch."""

    ours: str
    theirs: str
    options: dict[str, float] = field(default_factory=dict)
    eta: float = 0.1
    loss: str = "half_mse"
    clip_norm: float = 0
    clip_value: float = 0


MOMENTUM = {"momentum": 0.8, "weight_decay": 0.01}
ADAM = {"betas": [0.8, 0.95], "eps": 1e-3, "weight_decay": 0.01}
ADAM_HERE = "beta1=0.8 beta2=0.95 epsilon=1e-3 weight_decay=0.01"

CASES = {
    "gradient descent": Case("gradient_descent", "SGD"),
    "gradient descent with settings": Case("gradient_descent weight_decay=0.01", "SGD", {"weight_decay": 0.01}),
    "momentum": Case("momentum", "SGD", {"momentum": 0.9}),
    "momentum with settings": Case("momentum momentum=0.8 weight_decay=0.01", "SGD", MOMENTUM),
    "nesterov": Case("nesterov", "SGD", {"momentum": 0.9, "nesterov": True}),
    "nesterov with settings": Case(
        "nesterov momentum=0.8 weight_decay=0.01", "SGD", MOMENTUM | {"nesterov": True}, eta=0.05
    ),
    "adam": Case("adam", "Adam", eta=0.001),
    "adam with settings": Case(f"adam {ADAM_HERE}", "Adam", ADAM),
    "adamw": Case("adamw", "AdamW", eta=0.001),
    "adamw with settings": Case(f"adamw {ADAM_HERE}", "AdamW", ADAM),
    "rmsprop": Case("rmsprop", "RMSprop", eta=0.001),
    "rmsprop with settings": Case(
        "rmsprop rho=0.8 epsilon=1e-3 weight_decay=0.01",
        "RMSprop",
        {"alpha": 0.8, "eps": 1e-3, "weight_decay": 0.01},
        eta=0.01,
    ),
    "adagrad": Case("adagrad", "Adagrad", eta=0.01),
    "adagrad with settings": Case(
        "adagrad epsilon=1e-3 weight_decay=0.01", "Adagrad", {"eps": 1e-3, "weight_decay": 0.01}
    ),
    "clipped by norm": Case("momentum clip_norm=0.05", "SGD", {"momentum": 0.9}, clip_norm=0.05),
    "clipped by value": Case("adam clip_value=0.02", "Adam", clip_value=0.02),
    "mse": Case("adam", "Adam", loss="mse", eta=0.01),
    "cross entropy": Case("adam", "Adam", loss="cross_entropy", eta=0.01),
    "binary cross entropy": Case("adam", "Adam", loss="binary_cross_entropy", eta=0.01),
}

IN_PYTORCH = """
import json, sys, numpy, torch
from torch import nn
torch.set_num_threads(1)
task = json.load(open(sys.argv[1]))
inputs, targets, state = (torch.tensor(task[name], dtype=torch.float64) for name in ("inputs", "targets", "state"))
classes = (targets > 0).to(torch.float64)
losses = {
    "half_mse": lambda y: ((y - targets[:, None]) ** 2).sum() / (2 * len(y)),
    "mse": lambda y: nn.functional.mse_loss(y, targets[:, None]),
    "binary_cross_entropy": lambda y: nn.functional.binary_cross_entropy_with_logits(y, classes[:, None]),
    "cross_entropy": lambda y: nn.functional.cross_entropy(y, classes.long()),
}
answers = {}
for name, case in task["cases"].items():
    outputs = 2 if case["loss"] == "cross_entropy" else 1
    linears = [nn.Linear(2, 2).double(), nn.Linear(2, outputs).double()]
    values = torch.cat([state, state])
    for linear in linears:
        with torch.no_grad():
            count = linear.weight.numel()
            linear.weight.copy_(values[:count].reshape(linear.weight.T.shape).T)
            linear.bias.copy_(values[count : count + len(linear.bias)])
            values = values[count + len(linear.bias) :]
    network = nn.Sequential(linears[0], nn.Tanh(), linears[1], *([nn.Tanh()] if "mse" in case["loss"] else []))
    optimizer = getattr(torch.optim, case["theirs"])(network.parameters(), lr=case["eta"], **case["options"])
    states = []
    for _ in range(task["steps"]):
        optimizer.zero_grad()
        losses[case["loss"]](network(inputs)).backward()
        if case["clip_norm"]:
            # torch.nn.utils.clip_grad_norm_ divides by a little more than the norm.
            norm = torch.cat([p.grad.flatten() for p in network.parameters()]).norm()
            for p in network.parameters():
                p.grad *= min(1, case["clip_norm"] / norm)
        if case["clip_value"]:
            nn.utils.clip_grad_value_(network.parameters(), case["clip_value"])
        optimizer.step()
        parts = [part.detach().flatten() for linear in linears for part in (linear.weight.T, linear.bias)]
        states.append(torch.cat(parts).numpy())
    answers[name] = numpy.array(states)
numpy.savez(sys.argv[2], **answers)
"""


@pytest.fixture(scope="module")
def in_pytorch(tmp_path_factory):
    """The states after each step of every case, by its name."""
    if subprocess.run([SYSTEM_PYTHON, "-c", "import torch, numpy"], capture_output=True).returncode != 0:
        pytest.skip(f"{SYSTEM_PYTHON} has no torch: the distribution's package python3-torch")
    folder = tmp_path_factory.mktemp("pytorch")
    task = {
        "inputs": XOR_INPUTS.tolist(),
        "targets": XOR_TARGETS.tolist(),
        "state": XOR_STATE.tolist(),
        "steps": STEPS,
        "cases": {name: asdict(case) for name, case in CASES.items()},
    }
    (folder / "task.json").write_text(json.dumps(task))
    files = [str(folder / "task.json"), str(folder / "states.npz")]
    subprocess.run([SYSTEM_PYTHON, "-c", IN_PYTORCH, *files], check=True)
    with np.load(files[1]) as answers:
        return dict(answers)


@pytest.mark.parametrize("name", CASES)
def test_every_step_is_that_of_pytorch(real_house, in_pytorch, name):
    case = CASES[name]
    classes = (XOR_TARGETS > 0).astype(float)
    net, targets, parameters = {
        "cross_entropy": ("2x2tx2", classes.astype(int), 12),
        "binary_cross_entropy": ("2x2tx1", classes, 9),
    }.get(case.loss, ("2x2tx1t", XOR_TARGETS, 9))
    run = start_xor(
        real_house,
        net=net,
        data=(XOR_INPUTS, targets),
        loss=case.loss,
        initial_state=np.concatenate([XOR_STATE, XOR_STATE])[:parameters],
        optimizer=case.ours,
        eta=None if case.options == {} and case.ours == name else case.eta,
        state_every=1,
        batch_to=STEPS,
    )
    run.wait(timeout=PATIENCE)
    run.stop()
    events = run.watch(after_sequence=0, kinds=["state"], min_interval=0)
    states = {event.batch: event.vector for event in events if isinstance(event, pilothouse.StateEvent)}
    ours = np.array([states[batch] for batch in range(1, STEPS + 1)])
    np.testing.assert_allclose(ours, in_pytorch[name], rtol=1e-10, atol=1e-12)


def test_a_run_says_its_optimizer_and_its_settings_are_knobs(real_house):
    run = start_xor(real_house, optimizer=pilothouse.Optimizer("adam", beta1=0.95), eta=None, batch_to=10)
    run.wait(timeout=PATIENCE)
    state = run.state()
    assert (state.optimizer, state.eta, state.knobs["beta1"].value) == ("adam", 0.001, 0.95)
    assert "momentum" not in state.knobs
    receipt = run.set("weight_decay", 0.25)
    assert (receipt.applied_batch, receipt.value) == (10, 0.25)
    with pytest.raises(pilothouse.KnobOutOfRange):
        run.set("beta2", 1)
    with pytest.raises(pilothouse.KnobUnknown) as caught:
        run.set("momentum", 0.5)
    assert "beta1, beta2, epsilon" in caught.value.metadata["known"]
    fork = run.fork(at=10, knobs={"beta1": 0.5})
    assert (fork.state().optimizer, fork.state().knobs["beta1"].value) == ("adam", 0.5)
    assert fork.state().knobs["weight_decay"].value == 0.25
    fork.stop()
    run.stop()


def test_a_setting_that_the_optimizer_does_not_have_is_refused_with_those_it_has(real_house):
    with pytest.raises(pilothouse.SpecInvalid, match="It has: momentum, weight_decay, clip_norm, clip_value") as caught:
        start_xor(real_house, optimizer="nesterov beta1=0.5")
    assert caught.value.field == "spec.optimizer.settings[beta1]"
    with pytest.raises(pilothouse.KnobOutOfRange):
        start_xor(real_house, optimizer="nesterov momentum=1")
