"""A classifier of random examples with PyTorch, float32, plain gradient descent.

torch_partner.py WIDTHS BATCH_SIZE EXAMPLES SECONDS      WIDTHS as in 64,128,64,10; see partner.py
"""

import itertools
import sys

from partner import absent, blas, take_part

try:
    import torch
except ImportError:
    absent("install the package python3-torch")

#: As in classifier_contestants.cc.
ETA = 0.001


def layers(widths: list[int]) -> list[torch.nn.Module]:
    """ReLU after all layers but the last."""
    built: list[torch.nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        built += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    return built[:-1]


def main() -> None:
    widths = [int(width) for width in sys.argv[1].split(",")]
    size, examples, seconds = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    torch.set_num_threads(1)
    torch.manual_seed(1)
    network = torch.nn.Sequential(*layers(widths))
    optimizer = torch.optim.SGD(network.parameters(), lr=ETA)
    inputs = torch.rand(examples, widths[0]) * 2 - 1
    labels = torch.randint(widths[-1], (examples,))
    starts = itertools.cycle(range(0, examples, size))

    def run(batches: int) -> None:
        for start in itertools.islice(starts, batches):
            loss = torch.nn.functional.cross_entropy(
                network(inputs[start : start + size]), labels[start : start + size]
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    print(f"# PyTorch {torch.__version__}, matrix products: {blas()}", flush=True)
    take_part(run, seconds)


if __name__ == "__main__":
    main()
