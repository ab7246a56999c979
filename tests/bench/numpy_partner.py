"""The 2-2-1 tanh network on the four XOR patterns with NumPy, written as objects for layers, as in a notebook.

numpy_partner.py SECONDS      see partner.py
"""

import sys

from partner import absent, take_part

try:
    import numpy as np
except ImportError:
    absent("install the package python3-numpy")

INPUTS = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]])
TARGETS = np.array([[-0.5], [0.5], [-0.5], [0.5]])
STATE = np.arange(1, 10) / 10
ETA = 0.1


class Affine:
    """y = x·W + b."""

    def __init__(self, state, inputs, outputs):
        self.weights = state[: inputs * outputs].reshape(inputs, outputs).copy()
        self.biases = state[inputs * outputs :].copy()

    def forward(self, x):
        self.x = x
        return x @ self.weights + self.biases

    def backward(self, delta):
        self.weights_gradient = self.x.T @ delta
        self.biases_gradient = delta.sum(axis=0)
        return delta @ self.weights.T

    def update(self, eta):
        self.weights -= eta * self.weights_gradient
        self.biases -= eta * self.biases_gradient


class Map:
    """y = f(x), with f and its derivative as functions of x."""

    def __init__(self, function, derivative):
        self.function, self.derivative = function, derivative

    def forward(self, x):
        self.x = x
        return self.function(x)

    def backward(self, delta):
        return delta * self.derivative(self.x)

    def update(self, eta):
        pass


class Network:
    def __init__(self, layers, eta):
        self.layers, self.eta = layers, eta

    def learn(self, batches):
        """One update for each pair of inputs and targets. Returns the loss of the last."""
        loss = 0.0
        for inputs, targets in batches:
            outputs = inputs
            for layer in self.layers:
                outputs = layer.forward(outputs)
            error = outputs - targets
            loss = float((error**2).sum() / (2 * len(inputs)))
            delta = error / len(inputs)
            for layer in reversed(self.layers):
                delta = layer.backward(delta)
            for layer in self.layers:
                layer.update(self.eta)
        return loss


def tanh():
    return Map(np.tanh, lambda x: 1.0 - np.tanh(x) ** 2)


def main() -> None:
    network = Network([Affine(STATE[:6], 2, 2), tanh(), Affine(STATE[6:], 2, 1), tanh()], ETA)
    batch = (INPUTS, TARGETS)

    def run(batches: int) -> float:
        loss = 0.0
        for _ in range(batches):
            loss = network.learn([batch])
        return loss

    take_part(run, float(sys.argv[1]))


if __name__ == "__main__":
    main()
