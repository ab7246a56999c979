"""How a Python program takes part in the comparison that compare.py makes; engine_bench.cc does the same."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

#: The batch whose losses are compared.
COMPARED = 20
LIBRARIES = Path("/proc/self/maps")


def absent(why: str) -> None:
    """Says that it cannot take part, and ends the program."""
    print("absent", why, flush=True)
    sys.exit(0)


def take_part(run: Callable[[int], float | None], seconds: float) -> None:
    """Measures for whoever writes lines to the standard input.

    `run` goes on by so many batches, and returns the loss of the last if that can be compared. Each line is answered
    with the seconds that a batch took, in rounds of `seconds`, in the processor's time.
    """
    loss = run(COMPARED)
    print("ready", repr(loss or 0.0), flush=True)
    batches = batches_in(run, seconds)
    for _ in sys.stdin:
        print(time_of(run, batches) / batches, flush=True)


def time_of(run: Callable[[int], float | None], batches: int) -> float:
    begin = time.process_time()
    run(batches)
    return time.process_time() - begin


def batches_in(run: Callable[[int], float | None], seconds: float) -> int:
    """How many batches take at least `seconds`."""
    batches = 1
    while (taken := time_of(run, batches)) < seconds:
        # Not more than tenfold: the first batches may be slower than what follows.
        batches = int(batches * min(1.2 * seconds / taken, 10)) + 1
    return batches


def blas() -> str:
    """Where the library lies that multiplies matrices in this process, as far as its name tells."""
    paths = {line.split()[-1] for line in LIBRARIES.read_text(encoding="utf-8").splitlines() if "/libblas.so" in line}
    return ", ".join(sorted(paths)) or "its own"
