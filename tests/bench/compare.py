#!/usr/bin/python3
"""Compares the engine with what people would use instead, and with the limits of the machine. Prints Markdown tables.

    tests/bench/compare.py                 everything, after building what it needs: some minutes
    tests/bench/compare.py --only xor      one subject (--help lists them)

Whoever is compared takes part as a process of its own, with one thread. They are measured in turn, round by round, and
medians are set against each other. Packages that make it complete, on Debian and Ubuntu:

    apt-get install python3-numpy python3-torch libopenblas0-pthread libblis4-pthread
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "bench"
#: Debian's, which has Debian's NumPy and PyTorch.
SYSTEM_PYTHON = "/usr/bin/python3"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
#: Whoever computes the same loss is computing the same; sums in another order differ by less.
LOSS_TOLERANCE = 1e-9
#: Programs that print their own comparison, where they are built: they are run after the tables.
OTHER_PROGRAMS = {"csv": "csv_bench"}


@dataclass
class Contestant:
    label: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    #: Seconds per batch, one for each round.
    taken: list[float] = field(default_factory=list)
    why_absent: str = ""
    loss: float = 0
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        environment = {**os.environ, **ONE_THREAD, **self.environment}
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        verdict, rest = self.read().split(maxsplit=1)
        if verdict == "ready":
            self.loss = float(rest)
        else:
            self.why_absent = rest

    def read(self) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            if not line.startswith("#"):
                return line.strip()
            print(f"   {self.label}: {line[1:].strip()}", file=sys.stderr)
        sys.exit(f"{' '.join(self.command)} ended with status {self.process.wait()}")

    def round(self) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write("round\n")
        self.process.stdin.flush()
        self.taken.append(float(self.read()))

    def end(self) -> None:
        if self.process is not None:
            self.process.communicate()

    @property
    def median(self) -> float:
        return statistics.median(self.taken)


@dataclass
class Group:
    """Rivals of one kind: the fastest of them counts."""

    rivals: list[Contestant]
    #: How many times as fast as the fastest the engine is to be; none: it is shown only.
    target: float | None = None


@dataclass
class Subject:
    title: str
    ours: Contestant
    groups: list[Group]

    def contestants(self) -> list[Contestant]:
        return [self.ours, *(rival for group in self.groups for rival in group.rivals)]


def folders_of_blas() -> dict[str, Path]:
    """Where the libraries lie that may multiply for PyTorch, by their names."""
    places = [Path(place) for place in os.environ.get("LD_LIBRARY_PATH", "").split(":") if place]
    places += sorted(Path("/usr/lib").glob("*-linux-gnu/*-*"))
    found: dict[str, Path] = {}
    for name, prefix in (("OpenBLAS", "openblas"), ("BLIS", "blis")):
        for place in places:
            if place.name.startswith(prefix) and (place / "libblas.so.3").exists():
                found.setdefault(name, place)
    return found


def ahead(folder: Path) -> dict[str, str]:
    """An environment in which libraries of `folder` are found before others."""
    return {"LD_LIBRARY_PATH": ":".join(filter(None, [str(folder), os.environ.get("LD_LIBRARY_PATH", "")]))}


def pytorch(arguments: list[str]) -> list[Contestant]:
    """PyTorch with each BLAS that is here: with the reference BLAS, Debian's own is 20 times as slow."""
    command = [SYSTEM_PYTHON, str(HERE / "torch_partner.py"), *arguments]
    found = folders_of_blas()
    if not found:
        return [Contestant("PyTorch", command)]
    return [Contestant(f"PyTorch with {name}", command, ahead(folder)) for name, folder in found.items()]


def subjects(program: Path, seconds: float) -> dict[str, Subject]:
    def partner(label: str, name: str) -> Contestant:
        return Contestant(label, [str(program), name, str(seconds)])

    xor = "2x2tx1t@4"
    all_of_them = {
        "xor": Subject(
            "2-2-1 tanh, 4 rows, full batch, float64",
            partner("ours", f"{xor}/ours"),
            [
                Group([partner("a loop by hand", f"{xor}/by-hand")], 1),
                Group([Contestant("NumPy", [SYSTEM_PYTHON, str(HERE / "numpy_partner.py"), str(seconds)])], 150),
            ],
        )
    }
    for key, widths, size, examples, torch_target, products_target in (
        ("small32", [64, 128, 64, 10], 32, 4096, 8, 0.85),
        ("small256", [64, 128, 64, 10], 256, 4096, 2.5, 0.85),
        ("large", [784, 1024, 1024, 10], 128, 1024, 1.5, 1),
    ):
        name = "rx".join(map(str, widths)).replace("rx", "x", 1) + f"@{size}"
        arguments = [",".join(map(str, widths)), str(size), str(examples), str(seconds)]
        products = [("Eigen", "eigen"), ("OpenBLAS", "openblas"), ("BLIS", "blis")]
        all_of_them[key] = Subject(
            f"{'-'.join(map(str, widths))} ReLU, batch {size}, float32",
            partner("ours", f"{name}/ours"),
            [
                Group([partner("ours, shuffled", f"{name}-shuffled/ours")]),
                Group(pytorch(arguments), torch_target),
                Group(
                    [partner(f"products, {label}", f"{name}/products-{who}") for label, who in products],
                    products_target,
                ),
            ],
        )
    return all_of_them


def measure(subject: Subject, rounds: int) -> None:
    everyone = subject.contestants()
    print(f"── {subject.title}", file=sys.stderr)
    for contestant in everyone:
        contestant.start()
    present = [contestant for contestant in everyone if not contestant.why_absent]
    for contestant in present:
        same = math.isclose(contestant.loss, subject.ours.loss, rel_tol=LOSS_TOLERANCE)
        if contestant.loss and "shuffled" not in contestant.label and not same:
            sys.exit(f"{contestant.label} computes something else: loss {contestant.loss}, not {subject.ours.loss}")
    for done in range(rounds):
        for contestant in present:
            contestant.round()
        print(f"   round {done + 1} of {rounds}", file=sys.stderr)
    for contestant in everyone:
        contestant.end()


def rows(subject: Subject) -> Iterator[str]:
    ours = subject.ours.median
    yield f"| **{subject.title}** | {1 / ours:,.0f} | | |"
    for group in subject.groups:
        present = [rival for rival in group.rivals if not rival.why_absent]
        fastest = min(present, key=lambda rival: rival.median, default=None)
        for rival in group.rivals:
            if rival.why_absent:
                yield f"| {rival.label} | absent: {rival.why_absent} | | |"
                continue
            ratio = f"{rival.median / ours:.3g}"
            counts = rival is fastest and group.target is not None
            target = f"{group.target}" if counts else ""
            yield f"| {rival.label} | {1 / rival.median:,.0f} | {f'**{ratio}**' if counts else ratio} | {target} |"


def memory_rows(program: Path) -> Iterator[str]:
    # It fails where more is needed than is allowed: that is shown, too.
    output = subprocess.run([program], check=False, capture_output=True, text=True).stdout
    for line in output.splitlines():
        optimizer, peak, allowed = line.split()
        yield f"| {optimizer} | {int(peak) / 2**20:.1f} | {int(allowed) / 2**20:.1f} |"


def build(preset: str, targets: list[str]) -> None:
    if not (ROOT / "build" / preset / "build.ninja").exists():
        subprocess.run(["cmake", "--preset", preset], cwd=ROOT, check=True, stdout=sys.stderr)
    command = ["cmake", "--build", f"build/{preset}", "--target", *targets]
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)


def main() -> None:
    names = [*subjects(Path(), 0), "memory", *OTHER_PROGRAMS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=names, help="may be given several times")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.4, help="that each takes in a round")
    parser.add_argument("--preset", default="dev")
    parser.add_argument("--no-build", action="store_true")
    arguments = parser.parse_args()
    wanted = arguments.only or names
    folder = ROOT / "build" / arguments.preset / "bench"
    if not arguments.no_build:
        others = [program for program in OTHER_PROGRAMS.values() if (HERE / f"{program}.cc").exists()]
        build(arguments.preset, ["engine_bench", "memory_bench", *others])

    speed = {
        key: subject for key, subject in subjects(folder / "engine_bench", arguments.seconds).items() if key in wanted
    }
    if speed:
        print("| | batches/s | ours is so many times as fast | to reach |\n|---|---|---|---|", flush=True)
    for subject in speed.values():
        measure(subject, arguments.rounds)
        print(*rows(subject), sep="\n", flush=True)
    if "memory" in wanted:
        print("\n| 784-1024-1024-10, batch 128, with | at most in memory, MiB | allowed, MiB |\n|---|---|---|")
        print(*memory_rows(folder / "memory_bench"), sep="\n")
    for key, program in OTHER_PROGRAMS.items():
        if key in wanted and (folder / program).exists():
            print(flush=True)
            subprocess.run([folder / program], check=True)


if __name__ == "__main__":
    main()
